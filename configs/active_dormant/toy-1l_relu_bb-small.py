# ReLU attention has neither sink nor drain.
_base_ = './toy-1l_adamw_bb-small.py'

model = dict(network=dict(attn_use_relu=True))
