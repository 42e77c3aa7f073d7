# The paper's schedule: 500,000 iterations of Adam, halved four times, no warm-up; validated
# on weights averaged with decay 0.999 (MMEngine's momentum is the share of the new value).
train_cfg = dict(type='IterBasedTrainLoop', max_iters=500_000, val_interval=10_000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='mmsuper.MultiTestLoop')
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='Adam', lr=5e-4, betas=(0.9, 0.99)))
param_scheduler = dict(
    type='MultiStepLR', by_epoch=False, milestones=[250_000, 400_000, 450_000, 475_000], gamma=0.5)
custom_hooks = [dict(type='EMAHook', momentum=0.001)]
