# The comparison: mmpretrain's ResNet of like size, trained the same way.
_base_ = './svit-sample_digits.py'

model = dict(
    backbone=dict(
        _delete_=True, type='ResNet', depth=18, stem_channels=16, base_channels=16),
    neck=dict(_delete_=True, type='GlobalAveragePooling'),
    head=dict(in_channels=128))
