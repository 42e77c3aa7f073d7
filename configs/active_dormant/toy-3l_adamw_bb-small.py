# Three layers; six minutes of a CPU core, as the residual peak takes longer than the sink.
_base_ = './toy-1l_adamw_bb-small.py'

model = dict(network=dict(n_layers=3))
train_cfg = dict(max_iters=3_000, val_interval=1_000)
default_hooks = dict(checkpoint=dict(interval=1_000))
