# A larger step and fewer of them, for the small models.
_base_ = './bb_10k.py'

train_cfg = dict(max_iters=1_200, val_interval=400)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
default_hooks = dict(checkpoint=dict(interval=400))
# How much of the sink is on <s> and how much on other tokens of small value depends on the seed.
randomness = dict(seed=0)
custom_hooks = [dict(type='mmsuper.DynamicsHook', interval=100)]
