# ReLU attention in three layers.
_base_ = './toy-3l_adamw_bb-small.py'

model = dict(network=dict(attn_use_relu=True))
