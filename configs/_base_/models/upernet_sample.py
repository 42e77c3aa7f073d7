# A small UperNet for the sample mosaics (256x256, 6 classes), trained from scratch.
_base_ = ['mmseg::_base_/models/upernet_r50.py', './svit_sample.py']
default_scope = 'mmseg'
norm_cfg = dict(type='BN')
model = dict(
    pretrained=None,
    data_preprocessor=dict(size=(256, 256)),
    backbone=dict(_base_.backbone, _delete_=True),
    decode_head=dict(
        in_channels=[32, 64, 128, 192], channels=64, num_classes=6, norm_cfg=norm_cfg),
    auxiliary_head=dict(in_channels=128, channels=64, num_classes=6, norm_cfg=norm_cfg))
