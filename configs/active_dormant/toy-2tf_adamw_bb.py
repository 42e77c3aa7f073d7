# Minimal residual peak: two transformer layers.
_base_ = './toy-3l_adamw_bb.py'

model = dict(network=dict(n_layers=2))
