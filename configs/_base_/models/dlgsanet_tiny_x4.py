# DLGSANet-tiny for x4 in mmagic's editor: pictures are RGB in [0, 1] to the network.
default_scope = 'mmagic'
model = dict(
    type='BaseEditModel',
    generator=dict(
        type='mmsuper.DLGSANet',
        upscale=4,
        dim=48,
        groups=3,
        blocks=3,
        tlc_kernel=48),
    pixel_loss=dict(type='L1Loss', loss_weight=1.0, reduction='mean'),
    data_preprocessor=dict(type='DataPreprocessor', mean=[0., 0., 0.], std=[255., 255., 255.]))
