# The demonstration of classification: a small SViT on the sample digits.
_base_ = [
    '../_base_/models/svit_sample.py',
    '../_base_/datasets/sample_classification.py',
    '../_base_/schedules/sample_30e.py',
    '../_base_/runtime/epochs.py',
]
default_scope = 'mmpretrain'
model = dict(
    type='ImageClassifier',
    backbone=dict(out_indices=(3, )),
    neck=dict(type='mmsuper.SViTNeck', in_channels=128, projection=256),
    head=dict(
        type='LinearClsHead',
        num_classes=10,
        in_channels=256,
        loss=dict(type='CrossEntropyLoss')))
# The last epoch counts, not the best: the validation set is also the test.
default_hooks = dict(checkpoint=dict(interval=10))
