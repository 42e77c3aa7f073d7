# 36 epochs; the rest is as in 12.
_base_ = './coco_1x.py'

max_epochs = 36
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(type='MultiStepLR', by_epoch=True, end=max_epochs, milestones=[27, 33], gamma=0.1),
]
