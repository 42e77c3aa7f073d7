# UperNet with SViT-S on ADE20K.
# A proposal: the authors released no recipe for dense tasks; see the bases for its origin.
_base_ = [
    '../_base_/models/svit_small_dense.py',
    '../_base_/models/upernet_svit.py',
    '../_base_/datasets/ade20k_512.py',
    '../_base_/schedules/ade20k_upernet_160k.py',
    '../_base_/runtime/default.py',
]
model = dict(
    backbone=dict(_base_.backbone, _delete_=True),
    decode_head=dict(in_channels=list(_base_.backbone.embed_dim)),
    auxiliary_head=dict(in_channels=_base_.backbone.embed_dim[2]))
default_hooks = dict(checkpoint=dict(interval=8_000))
