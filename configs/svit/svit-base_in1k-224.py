# SViT-B on ImageNet-1K at 224, from scratch, as the paper trained it.
_base_ = [
    '../_base_/models/svit_base.py',
    '../_base_/models/svit_classifier.py',
    '../_base_/datasets/imagenet_224.py',
    '../_base_/schedules/imagenet_300e.py',
    '../_base_/runtime/epochs.py',
]
model = dict(_base_.classifier, backbone=dict(_base_.backbone, out_indices=(3, )))
