# About an hour on one CPU core for a network of half a million parameters.
max_iters = 3000
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=250)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=1e-3, betas=(0.9, 0.99)),
    clip_grad=dict(max_norm=1.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, begin=0, end=100, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=100, end=max_iters, by_epoch=False),
]
# The average follows closely at first and over about 300 iterations at the end; it is what
# is validated.
custom_hooks = [
    dict(type='EMAHook', ema_type='MomentumAnnealingEMA', gamma=10, momentum=0.001),
]
