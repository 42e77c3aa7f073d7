# 80,000 iterations with AdamW and batch 16. Our proposal, after RMT's public recipe.
train_cfg = dict(type='IterBasedTrainLoop', max_iters=80_000, val_interval=8_000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.999), weight_decay=1e-4))
param_scheduler = dict(type='PolyLR', power=0.9, eta_min=0., by_epoch=False, end=80_000)
auto_scale_lr = dict(enable=False, base_batch_size=16)
