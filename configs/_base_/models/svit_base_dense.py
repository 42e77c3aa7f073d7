# SViT-B for detectors and segmentors, with ImageNet weights; drop path as in RMT's recipe.
_base_ = ['./svit_base.py', './svit_dense.py']
pretrained = 'pretrained/stvit-base-224.pth'  # the authors' file, or ours
backbone = dict(
    **_base_.dense,
    drop_path_rate=0.4,
    init_cfg=dict(type='Pretrained', checkpoint=pretrained))
