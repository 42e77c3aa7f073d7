# UperNet for SViT; a config adds the backbone.
_base_ = 'mmseg::_base_/models/upernet_r50.py'
default_scope = 'mmseg'
model = dict(
    pretrained=None,
    data_preprocessor=dict(size=(512, 512)),
    decode_head=dict(num_classes=150),
    auxiliary_head=dict(num_classes=150))
