# A small Mask R-CNN for the sample instances (320x256, objects of 30 to 130 pixels), trained
# from scratch: narrow heads, anchors of 32 to 128 pixels, few regions.
_base_ = ['mmdet::_base_/models/mask-rcnn_r50_fpn.py', './svit_sample.py']
default_scope = 'mmdet'
model = dict(
    backbone=dict(_base_.backbone, _delete_=True),
    neck=dict(
        in_channels=[32, 64, 128, 192],
        out_channels=64,
        start_level=1,
        num_outs=3,
        norm_cfg=dict(type='BN')),
    rpn_head=dict(
        in_channels=64,
        feat_channels=64,
        anchor_generator=dict(scales=[4], strides=[8, 16, 32])),
    roi_head=dict(
        bbox_roi_extractor=dict(
            roi_layer=dict(sampling_ratio=2), out_channels=64, featmap_strides=[8, 16, 32],
            finest_scale=32),
        bbox_head=dict(in_channels=64, fc_out_channels=256, num_classes=5),
        mask_roi_extractor=dict(
            roi_layer=dict(sampling_ratio=2), out_channels=64, featmap_strides=[8, 16, 32],
            finest_scale=32),
        mask_head=dict(num_convs=2, in_channels=64, conv_out_channels=64, num_classes=5)),
    train_cfg=dict(
        rpn=dict(sampler=dict(num=64)),
        rpn_proposal=dict(nms_pre=300, max_per_img=200),
        rcnn=dict(sampler=dict(num=48, pos_fraction=0.33))),
    test_cfg=dict(rpn=dict(nms_pre=300, max_per_img=100), rcnn=dict(max_per_img=30)))
# With several processes: the FPN leaves out the first map, and so its norm.
model_wrapper_cfg = dict(find_unused_parameters=True)
