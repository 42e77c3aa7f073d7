# A larger step and fewer of them, for the small models.
_base_ = './bb_10k.py'

train_cfg = dict(max_iters=5_000)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
# How much of the sink is on <s> and how much on other tokens of small value depends on the seed.
randomness = dict(seed=0)
