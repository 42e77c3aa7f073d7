# SViT-L on ImageNet-1K at 224, from scratch, as the paper trained it. The authors did better
# with another drop path: train to epoch 260 with backbone.drop_path_rate=0.4, then --resume
# with 0.6 (docs/projects/svit.md).
_base_ = [
    '../_base_/models/svit_large.py',
    '../_base_/models/svit_classifier.py',
    '../_base_/datasets/imagenet_224.py',
    '../_base_/schedules/imagenet_300e.py',
    '../_base_/runtime/epochs.py',
]
model = dict(
    _base_.classifier,
    backbone=dict(_base_.backbone, out_indices=(3, )),
    neck=dict(_base_.classifier.neck, in_channels=640))
