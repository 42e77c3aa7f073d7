# The same with a ResNet of like size in SViT's place.
_base_ = './mask-rcnn_svit-sample_coco.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet',
        depth=18,
        base_channels=24,
        out_indices=(0, 1, 2, 3),
        norm_eval=False),
    neck=dict(in_channels=[24, 48, 96, 192]))
