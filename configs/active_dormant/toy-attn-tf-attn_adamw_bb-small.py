# Minimal residual peak: one layer between two of attention alone.
_base_ = './toy-3l_adamw_bb-small.py'

model = dict(network=dict(no_ffn=(0, 2)))
