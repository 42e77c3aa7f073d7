# One layer, the long run.
_base_ = './toy-1l_adamw_bb.py'

train_cfg = dict(max_iters=100_000)
