# Trains the demonstration on, with clips of 16 frames that are followed by themselves in reverse.
# A network that has never seen more than six frames lets its state grow without end.
_base_ = './ttvsr-tiny_x4_sample.py'
load_from = 'work_dirs/ttvsr-tiny_x4_sample/iter_2000.pth'
max_iters = 300
train_cfg = dict(max_iters=max_iters, val_interval=100)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, begin=0, end=20, by_epoch=False),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=20, end=max_iters, by_epoch=False),
]
*_augment, _pack = _base_.train_pipeline
train_dataloader = dict(dataset=dict(
    num_input_frames=16,
    pipeline=[*_augment, dict(type='MirrorSequence', keys=['img', 'gt']), _pack]))
