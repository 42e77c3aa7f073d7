# SViT-L for detectors and segmentors, with ImageNet weights; drop path as in RMT's recipe.
_base_ = ['./svit_large.py', './svit_dense.py']
pretrained = 'pretrained/stvit-large-224.pth'  # the authors' file, or ours
backbone = dict(
    **_base_.dense,
    drop_path_rate=0.5,
    init_cfg=dict(type='Pretrained', checkpoint=pretrained))
