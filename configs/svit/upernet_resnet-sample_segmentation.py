# The same with a ResNet of like size in SViT's place.
_base_ = './upernet_svit-sample_segmentation.py'

model = dict(
    backbone=dict(_delete_=True, type='ResNet', depth=18, base_channels=24),
    decode_head=dict(in_channels=[24, 48, 96, 192]),
    auxiliary_head=dict(in_channels=96))
