# What follows the backbone in the ImageNet classifiers, for default_scope = 'mmpretrain'; a
# config puts it together with its backbone: model = dict(_base_.classifier, backbone=...).
default_scope = 'mmpretrain'
classifier = dict(
    type='ImageClassifier',
    neck=dict(type='mmsuper.SViTNeck', in_channels=512),
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=1024,
        # Applied to the mixed labels, as timm does: cross entropy with soft targets.
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
        init_cfg=dict(type='TruncNormal', layer='Linear', std=0.02, bias=0.)),
    # One of the two for every batch, with equal chances.
    train_cfg=dict(augments=[dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)]))
