# 10,000 steps of AdamW without schedule, warm-up and clipping ("Adam" in the paper).
_base_ = '../runtime/default.py'

train_cfg = dict(type='IterBasedTrainLoop', max_iters=10_000, val_interval=1_000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=3e-4, betas=(0.9, 0.99), eps=1e-8, weight_decay=1e-4))
randomness = dict(seed=42)
default_hooks = dict(checkpoint=dict(interval=1_000))
custom_hooks = [dict(type='mmsuper.DynamicsHook', interval=100)]
