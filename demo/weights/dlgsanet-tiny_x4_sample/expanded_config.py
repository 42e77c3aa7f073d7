compile = False
custom_hooks = [
    dict(
        ema_type='MomentumAnnealingEMA',
        gamma=10,
        momentum=0.001,
        type='EMAHook'),
    dict(type='mmsuper.IterationSeedHook'),
    dict(type='mmsuper.PlainCheckpointHook'),
    dict(type='mmsuper.LossSyncHook'),
    dict(type='mmsuper.MetricsHook'),
    dict(type='mmsuper.ProgressHook'),
]
data_root = 'data/samples/sr'
default_hooks = dict(
    checkpoint=dict(
        by_epoch=False,
        interval=250,
        max_keep_ckpts=3,
        rule='greater',
        save_best='PSNR',
        type='mmsuper.CheckpointHook'),
    logger=dict(interval=50, log_metric_by_epoch=False, type='LoggerHook'),
    param_scheduler=dict(type='ParamSchedulerHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    timer=dict(type='IterTimerHook'))
default_scope = 'mmagic'
env_cfg = dict(
    cudnn_benchmark=False,
    dist_cfg=dict(backend='nccl'),
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=1))
experiment_name = 'dlgsanet-tiny_x4_sample-0'
launcher = 'none'
load_from = None
load_pair = [
    dict(
        channel_order='rgb',
        imdecode_backend='cv2',
        key='img',
        type='LoadImageFromFile',
        use_cache=True),
    dict(
        channel_order='rgb',
        imdecode_backend='cv2',
        key='gt',
        type='LoadImageFromFile',
        use_cache=True),
]
log_level = 'INFO'
log_processor = dict(by_epoch=False, type='LogProcessor', window_size=50)
max_iters = 3000
model = dict(
    data_preprocessor=dict(
        mean=[
            0.0,
            0.0,
            0.0,
        ],
        std=[
            255.0,
            255.0,
            255.0,
        ],
        type='DataPreprocessor'),
    generator=dict(
        blocks=3,
        dim=48,
        groups=3,
        tlc_kernel=24,
        type='mmsuper.DLGSANet',
        upscale=4),
    pixel_loss=dict(loss_weight=1.0, reduction='mean', type='L1Loss'),
    type='BaseEditModel')
optim_wrapper = dict(
    clip_grad=dict(max_norm=1.0),
    optimizer=dict(betas=(
        0.9,
        0.99,
    ), lr=0.001, type='Adam'),
    type='OptimWrapper')
param_scheduler = [
    dict(begin=0, by_epoch=False, end=100, start_factor=0.05, type='LinearLR'),
    dict(
        begin=100,
        by_epoch=False,
        end=3000,
        eta_min=1e-06,
        type='CosineAnnealingLR'),
]
randomness = dict(deterministic=False, seed=0)
resume = False
test_cfg = dict(type='TestLoop')
test_dataloader = dict(
    batch_size=1,
    dataset=dict(
        ann_file='val.txt',
        data_prefix=dict(gt='val/HR', img='val/LRx4'),
        data_root='data/samples/sr',
        pipeline=[
            dict(
                channel_order='rgb',
                imdecode_backend='cv2',
                key='img',
                type='LoadImageFromFile',
                use_cache=True),
            dict(
                channel_order='rgb',
                imdecode_backend='cv2',
                key='gt',
                type='LoadImageFromFile',
                use_cache=True),
            dict(type='PackInputs'),
        ],
        test_mode=True,
        type='BasicImageDataset'),
    num_workers=0,
    sampler=dict(shuffle=False, type='DefaultSampler'))
test_evaluator = [
    dict(crop_border=4, per_image=True, type='mmsuper.PSNR', y_channel=True),
    dict(crop_border=4, per_image=True, type='mmsuper.SSIM', y_channel=True),
]
train_cfg = dict(max_iters=3000, type='IterBasedTrainLoop', val_interval=250)
train_dataloader = dict(
    batch_size=8,
    dataset=dict(
        ann_file='train.txt',
        data_prefix=dict(gt='train/HR', img='train/LRx4'),
        data_root='data/samples/sr',
        pipeline=[
            dict(
                channel_order='rgb',
                imdecode_backend='cv2',
                key='img',
                type='LoadImageFromFile',
                use_cache=True),
            dict(
                channel_order='rgb',
                imdecode_backend='cv2',
                key='gt',
                type='LoadImageFromFile',
                use_cache=True),
            dict(size=24, type='mmsuper.PairedCrop'),
            dict(
                direction='horizontal',
                flip_ratio=0.5,
                keys=[
                    'img',
                    'gt',
                ],
                type='Flip'),
            dict(
                direction='vertical',
                flip_ratio=0.5,
                keys=[
                    'img',
                    'gt',
                ],
                type='Flip'),
            dict(
                keys=[
                    'img',
                    'gt',
                ],
                transpose_ratio=0.5,
                type='RandomTransposeHW'),
            dict(type='PackInputs'),
        ],
        type='BasicImageDataset'),
    drop_last=True,
    num_workers=0,
    sampler=dict(shuffle=True, type='InfiniteSampler'))
train_pipeline = [
    dict(
        channel_order='rgb',
        imdecode_backend='cv2',
        key='img',
        type='LoadImageFromFile',
        use_cache=True),
    dict(
        channel_order='rgb',
        imdecode_backend='cv2',
        key='gt',
        type='LoadImageFromFile',
        use_cache=True),
    dict(size=24, type='mmsuper.PairedCrop'),
    dict(
        direction='horizontal',
        flip_ratio=0.5,
        keys=[
            'img',
            'gt',
        ],
        type='Flip'),
    dict(
        direction='vertical',
        flip_ratio=0.5,
        keys=[
            'img',
            'gt',
        ],
        type='Flip'),
    dict(keys=[
        'img',
        'gt',
    ], transpose_ratio=0.5, type='RandomTransposeHW'),
    dict(type='PackInputs'),
]
val_cfg = dict(type='ValLoop')
val_dataloader = dict(
    batch_size=1,
    dataset=dict(
        ann_file='val.txt',
        data_prefix=dict(gt='val/HR', img='val/LRx4'),
        data_root='data/samples/sr',
        pipeline=[
            dict(
                channel_order='rgb',
                imdecode_backend='cv2',
                key='img',
                type='LoadImageFromFile',
                use_cache=True),
            dict(
                channel_order='rgb',
                imdecode_backend='cv2',
                key='gt',
                type='LoadImageFromFile',
                use_cache=True),
            dict(type='PackInputs'),
        ],
        test_mode=True,
        type='BasicImageDataset'),
    num_workers=0,
    sampler=dict(shuffle=False, type='DefaultSampler'))
val_evaluator = [
    dict(crop_border=4, per_image=True, type='mmsuper.PSNR', y_channel=True),
    dict(crop_border=4, per_image=True, type='mmsuper.SSIM', y_channel=True),
]
val_loss = False
val_pipeline = [
    dict(
        channel_order='rgb',
        imdecode_backend='cv2',
        key='img',
        type='LoadImageFromFile',
        use_cache=True),
    dict(
        channel_order='rgb',
        imdecode_backend='cv2',
        key='gt',
        type='LoadImageFromFile',
        use_cache=True),
    dict(type='PackInputs'),
]
visualizer = dict(
    type='Visualizer',
    vis_backends=[
        dict(type='LocalVisBackend'),
        dict(type='TensorboardVisBackend'),
    ])
work_dir = 'work_dirs/tiny_x4'
