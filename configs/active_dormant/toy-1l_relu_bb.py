# ReLU attention has neither sink nor drain.
_base_ = './toy-1l_adamw_bb.py'

model = dict(network=dict(attn_use_relu=True))
optim_wrapper = dict(optimizer=dict(lr=3e-3))
