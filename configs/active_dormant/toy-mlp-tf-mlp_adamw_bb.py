# Minimal residual peak: one layer between two of feed-forward alone.
_base_ = './toy-3l_adamw_bb.py'

model = dict(network=dict(no_attn=(0, 2)))
