# Mask R-CNN with SViT-L on COCO, 12 epochs.
# A proposal: the authors released no recipe for dense tasks; see the bases for its origin.
_base_ = [
    '../_base_/models/svit_large.py',
    '../_base_/models/mask_rcnn_svit.py',
    'mmdet::_base_/datasets/coco_instance.py',
    '../_base_/schedules/coco_1x.py',
    '../_base_/runtime/epochs.py',
]
pretrained = 'pretrained/stvit-large-224.pth'  # the authors' file, or ours
model = dict(
    backbone=dict(
        _base_.backbone,
        drop_path_rate=0.5,
        init_cfg=dict(type='Pretrained', checkpoint=pretrained)),
    neck=dict(in_channels=list(_base_.backbone.embed_dim)))
optim_wrapper = dict(optimizer=dict(lr=2e-4))
