# Three layers.
_base_ = './toy-1l_adamw_bb.py'

model = dict(network=dict(n_layers=3))
