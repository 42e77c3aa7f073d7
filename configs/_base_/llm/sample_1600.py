# Ten minutes at most on two CPU cores for a model of two million parameters.
max_iters = 1600
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, betas=(0.9, 0.95), weight_decay=0.1),
    clip_grad=dict(max_norm=1.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, begin=0, end=100, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-4, begin=100, end=max_iters, by_epoch=False),
]
# An ordinary Hugging Face folder at the end: hf/ in the work dir.
custom_hooks = [dict(type='mmsuper.SaveFolderHook', dtype='bfloat16')]
