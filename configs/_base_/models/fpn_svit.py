# Semantic FPN with what every SViT has in it; see mask_rcnn_svit.py for how a config adds the
# size and for where these choices, which are ours, come from.
_base_ = 'mmseg::_base_/models/fpn_r50.py'
default_scope = 'mmseg'
model = dict(
    pretrained=None,
    data_preprocessor=dict(size=(512, 512)),
    backbone=dict(
        _delete_=True,
        type='mmsuper.SViT',
        stoken_size=(16, 8, 1, 1),
        out_norm=True,
        norm_eval=True),
    decode_head=dict(num_classes=150))
