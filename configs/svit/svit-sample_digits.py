# The demonstration of classification: a small SViT on the sample digits, maps of 8x8 tokens.
_base_ = [
    '../_base_/datasets/sample_classification.py',
    '../_base_/schedules/sample_30e.py',
    '../_base_/runtime/epochs.py',
]
default_scope = 'mmpretrain'
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='mmsuper.SViT',
        embed_dim=(32, 64, 96, 128),
        depths=(1, 1, 2, 1),
        num_heads=(1, 2, 3, 4),
        stoken_size=(4, 2, 1, 1),
        drop_path_rate=0.05,
        out_indices=(3, )),
    neck=dict(type='mmsuper.SViTNeck', in_channels=128, projection=256),
    head=dict(
        type='LinearClsHead', num_classes=10, in_channels=256,
        loss=dict(type='CrossEntropyLoss')))
# The last epoch counts, not the best: the validation set is also the test.
default_hooks = dict(checkpoint=dict(interval=10))
