# 300 epochs from scratch, 1024 pictures an iteration, with the odd corners of the authors'
# script (docs/projects/svit.md): the learning rate changes once an epoch and lags one behind;
# layer scale is decayed, as all but vectors; no gradient is clipped.
train_cfg = dict(by_epoch=True, max_epochs=300, val_interval=1)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    type='AmpOptimWrapper',
    # 5e-4 for 512 pictures an iteration.
    optimizer=dict(type='AdamW', lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.05),
    paramwise_cfg=dict(flat_decay_mult=0.0))
param_scheduler = dict(
    type='mmsuper.LaggingCosineLR', warmup=5, warmup_lr=1e-6, min_lr=1e-5, end=300)
# Averaged weights and batch norm statistics, kept in checkpoints as ema_state_dict; what is
# validated and tested is the raw weights. timm's decay of 0.99996 is a momentum of 4e-5 here.
custom_hooks = [
    dict(type='mmsuper.SideEMAHook', momentum=4e-5, update_buffers=True),
]
