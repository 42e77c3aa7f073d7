# Mask R-CNN with what every SViT has in it; a config adds the size: model = dict(
# backbone=_base_.backbone, neck=dict(in_channels=_base_.backbone.embed_dim)).
# The authors released nothing for dense tasks: these choices are our proposal. Cells
# (16, 8, 1, 1), as the authors' model file notes for large inputs and the paper's FLOPs bear
# out; a new layer norm after each stage and batch norms in evaluation mode, as in RMT's
# public recipe (github.com/qhfan/RMT), by the same group on the same code base.
_base_ = 'mmdet::_base_/models/mask-rcnn_r50_fpn.py'
default_scope = 'mmdet'
model = dict(
    backbone=dict(
        _delete_=True,
        type='mmsuper.SViT',
        stoken_size=(16, 8, 1, 1),
        out_norm=True,
        norm_eval=True))
