_augment = [
    dict(scale=4, type='mmsuper.ListFrames'),
    dict(cache=True, keys=[
        'img',
        'gt',
    ], type='mmsuper.LoadPictures'),
    dict(size=32, type='mmsuper.PairedCrop'),
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
    dict(keys=[
        'img',
        'gt',
    ], reverse_ratio=0.5, type='TemporalReverse'),
]
_pack = dict(type='PackInputs')
compile = False
custom_hooks = [
    dict(type='mmsuper.IterationSeedHook'),
    dict(type='mmsuper.PlainCheckpointHook'),
    dict(type='mmsuper.LossSyncHook'),
    dict(type='mmsuper.MetricsHook'),
    dict(type='mmsuper.ProgressHook'),
]
data_root = 'data/samples/clips'
default_hooks = dict(
    checkpoint=dict(
        by_epoch=False,
        interval=500,
        max_keep_ckpts=3,
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
experiment_name = 'ttvsr-tiny_x4_sample-long-0'
frames = dict(scale=4, type='mmsuper.ListFrames')
launcher = 'none'
load_from = 'work_dirs/ttvsr-tiny_x4_sample/iter_2000.pth'
load_pair = dict(
    cache=True, keys=[
        'img',
        'gt',
    ], type='mmsuper.LoadPictures')
log_level = 'INFO'
log_processor = dict(by_epoch=False, type='LogProcessor', window_size=50)
max_iters = 300
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
    fix_iter=1000000,
    generator=dict(
        flow_init_cfg=None,
        frame_stride=3,
        mid_channels=16,
        num_blocks=3,
        smallest=32,
        stride=4,
        type='mmsuper.TTVSR',
        with_cp=False),
    match_blocks=True,
    pixel_loss=dict(
        eps=1e-12, loss_weight=1.0, reduction='mean', type='CharbonnierLoss'),
    type='mmsuper.TTVSREditor')
optim_wrapper = dict(
    clip_grad=dict(max_norm=1.0),
    optimizer=dict(betas=(
        0.9,
        0.99,
    ), lr=0.0005, type='Adam'),
    type='OptimWrapper')
param_scheduler = [
    dict(begin=0, by_epoch=False, end=20, start_factor=0.05, type='LinearLR'),
    dict(
        begin=20,
        by_epoch=False,
        end=300,
        eta_min=1e-06,
        type='CosineAnnealingLR'),
]
randomness = dict(deterministic=False, seed=0)
resume = False
test_cfg = dict(type='TestLoop')
test_dataloader = dict(
    batch_size=1,
    dataset=dict(
        data_prefix=dict(gt='val/HR', img='val/LRx4'),
        data_root='data/samples/clips',
        pipeline=[
            dict(scale=4, type='mmsuper.ListFrames'),
            dict(
                cache=True, keys=[
                    'img',
                    'gt',
                ], type='mmsuper.LoadPictures'),
            dict(type='PackInputs'),
        ],
        test_mode=True,
        type='BasicFramesDataset'),
    num_workers=0,
    sampler=dict(shuffle=False, type='DefaultSampler'))
test_evaluator = [
    dict(per_image=True, type='mmsuper.PSNR'),
    dict(per_image=True, type='mmsuper.SSIM'),
]
train_cfg = dict(max_iters=300, type='IterBasedTrainLoop', val_interval=100)
train_dataloader = dict(
    batch_size=1,
    dataset=dict(
        data_prefix=dict(gt='train/HR', img='train/LRx4'),
        data_root='data/samples/clips',
        num_input_frames=16,
        pipeline=[
            dict(scale=4, type='mmsuper.ListFrames'),
            dict(
                cache=True, keys=[
                    'img',
                    'gt',
                ], type='mmsuper.LoadPictures'),
            dict(size=32, type='mmsuper.PairedCrop'),
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
            dict(
                keys=[
                    'img',
                    'gt',
                ],
                reverse_ratio=0.5,
                type='TemporalReverse'),
            dict(keys=[
                'img',
                'gt',
            ], type='MirrorSequence'),
            dict(type='PackInputs'),
        ],
        type='BasicFramesDataset'),
    drop_last=True,
    num_workers=0,
    sampler=dict(shuffle=True, type='InfiniteSampler'))
train_pipeline = [
    dict(scale=4, type='mmsuper.ListFrames'),
    dict(cache=True, keys=[
        'img',
        'gt',
    ], type='mmsuper.LoadPictures'),
    dict(size=32, type='mmsuper.PairedCrop'),
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
    dict(keys=[
        'img',
        'gt',
    ], reverse_ratio=0.5, type='TemporalReverse'),
    dict(type='PackInputs'),
]
val_cfg = dict(type='ValLoop')
val_dataloader = dict(
    batch_size=1,
    dataset=dict(
        data_prefix=dict(gt='val/HR', img='val/LRx4'),
        data_root='data/samples/clips',
        pipeline=[
            dict(scale=4, type='mmsuper.ListFrames'),
            dict(
                cache=True, keys=[
                    'img',
                    'gt',
                ], type='mmsuper.LoadPictures'),
            dict(type='PackInputs'),
        ],
        test_mode=True,
        type='BasicFramesDataset'),
    num_workers=0,
    sampler=dict(shuffle=False, type='DefaultSampler'))
val_evaluator = [
    dict(per_image=True, type='mmsuper.PSNR'),
    dict(per_image=True, type='mmsuper.SSIM'),
]
val_loss = False
val_pipeline = [
    dict(scale=4, type='mmsuper.ListFrames'),
    dict(cache=True, keys=[
        'img',
        'gt',
    ], type='mmsuper.LoadPictures'),
    dict(type='PackInputs'),
]
visualizer = dict(
    type='Visualizer',
    vis_backends=[
        dict(type='LocalVisBackend'),
        dict(type='TensorboardVisBackend'),
    ])
work_dir = 'work_dirs/ttvsr-tiny_x4_sample-long'
