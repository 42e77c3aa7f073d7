# Cascade Mask R-CNN with SViT-B on COCO, 36 epochs at many sizes.
# A proposal: the authors released no recipe for dense tasks; see the bases for its origin.
_base_ = [
    '../_base_/models/svit_base_dense.py',
    '../_base_/models/cascade_mask_rcnn_svit.py',
    '../_base_/datasets/coco_instance_ms.py',
    '../_base_/schedules/coco_3x.py',
    '../_base_/runtime/epochs.py',
]
model = dict(
    backbone=dict(_base_.backbone, _delete_=True),
    neck=dict(in_channels=list(_base_.backbone.embed_dim)))
optim_wrapper = dict(optimizer=dict(lr=2e-4))
