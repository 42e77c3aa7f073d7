# TTVSR as the paper has it. OpenMMLab publishes the flow network's weights as
# spynet_20210409-c6c1bd09.pth; they are to lie in pretrained/ (docs/data.md).
default_scope = 'mmagic'
model = dict(
    type='mmsuper.TTVSREditor',
    generator=dict(
        type='mmsuper.TTVSR',
        mid_channels=64,
        num_blocks=60,
        stride=4,
        frame_stride=3,
        with_cp=True,
        flow_init_cfg=dict(type='Pretrained', checkpoint='pretrained/spynet.pth')),
    pixel_loss=dict(type='CharbonnierLoss', loss_weight=1.0, reduction='mean', eps=1e-12),
    fix_iter=5000,
    data_preprocessor=dict(type='DataPreprocessor', mean=[0., 0., 0.], std=[255., 255., 255.]))
