# Semantic FPN with SViT-B on ADE20K, which the paper does not have.
# A proposal: the authors released no recipe for dense tasks; see the bases for its origin.
_base_ = [
    '../_base_/models/svit_base_dense.py',
    '../_base_/models/fpn_svit.py',
    '../_base_/datasets/ade20k_512.py',
    '../_base_/schedules/ade20k_fpn_80k.py',
    '../_base_/runtime/default.py',
]
model = dict(
    backbone=dict(_base_.backbone, _delete_=True),
    neck=dict(in_channels=list(_base_.backbone.embed_dim)))
default_hooks = dict(checkpoint=dict(interval=8_000))
