# A small UperNet for the sample mosaics (256x256, 6 classes), trained from scratch.
_base_ = 'mmseg::_base_/models/upernet_r50.py'
default_scope = 'mmseg'
norm_cfg = dict(type='BN')
model = dict(
    pretrained=None,
    data_preprocessor=dict(size=(256, 256)),
    backbone=dict(
        _delete_=True,
        type='mmsuper.SViT',
        embed_dim=(32, 64, 128, 192),
        depths=(1, 2, 3, 1),
        num_heads=(1, 2, 4, 6),
        stoken_size=(8, 4, 1, 1),
        drop_path_rate=0.05,
        out_norm=True),
    decode_head=dict(
        in_channels=[32, 64, 128, 192], channels=64, num_classes=6, norm_cfg=norm_cfg),
    auxiliary_head=dict(in_channels=128, channels=64, num_classes=6, norm_cfg=norm_cfg))
