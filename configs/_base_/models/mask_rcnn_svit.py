# Mask R-CNN for SViT; a config adds the backbone.
_base_ = 'mmdet::_base_/models/mask-rcnn_r50_fpn.py'
default_scope = 'mmdet'
