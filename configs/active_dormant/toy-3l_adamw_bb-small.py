# Three layers, small: six minutes of a CPU core.
_base_ = './toy-1l_adamw_bb-small.py'

model = dict(network=dict(n_layers=3))
train_cfg = dict(max_iters=3_000)
