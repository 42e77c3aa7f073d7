# SViT-L fine-tuned at 384, as the paper did. For the authors' 224 weights:
# --cfg-options load_from=stvit-large-224.pth
_base_ = [
    '../_base_/models/svit_large.py',
    '../_base_/models/svit_finetuned.py',
    '../_base_/datasets/imagenet_384.py',
    '../_base_/schedules/imagenet_finetune_30e.py',
    '../_base_/runtime/epochs.py',
]
load_from = 'work_dirs/svit-large_in1k-224/epoch_300.pth'
model = dict(
    _base_.classifier,
    backbone=dict(_base_.backbone, **_base_.finetuned),
    neck=dict(_base_.classifier.neck, in_channels=640))
