# The paper's schedule: 400,000 iterations of Adam along one half of a cosine; flow learns at an
# eighth of the rate, after the model's fix_iter.
train_cfg = dict(type='IterBasedTrainLoop', max_iters=400_000, val_interval=10_000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=2e-4, betas=(0.9, 0.99)),
    paramwise_cfg=dict(custom_keys=dict(spynet=dict(lr_mult=0.125))))
param_scheduler = dict(
    type='CosineAnnealingLR', by_epoch=False, T_max=400_000, end=400_000, eta_min=1e-7)
# In several processes, parameters that do not learn yet are to be looked for.
model_wrapper_cfg = dict(
    type='MMDistributedDataParallel', broadcast_buffers=False, find_unused_parameters=True)
