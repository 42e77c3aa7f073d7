# The sample clips, laid out as REDS is: LR 64x80, HR 256x320, 16 frames; made on first use.
frames = dict(type='mmsuper.ListFrames', scale=4)
load_pair = dict(type='mmsuper.LoadPictures', keys=['img', 'gt'], cache=True)
train_pipeline = [
    frames,
    load_pair,
    dict(type='mmsuper.PairedCrop', size=32),
    dict(type='Flip', keys=['img', 'gt'], flip_ratio=0.5, direction='horizontal'),
    dict(type='Flip', keys=['img', 'gt'], flip_ratio=0.5, direction='vertical'),
    dict(type='RandomTransposeHW', keys=['img', 'gt'], transpose_ratio=0.5),
    dict(type='TemporalReverse', keys=['img', 'gt'], reverse_ratio=0.5),
    dict(type='PackInputs'),
]
val_pipeline = [frames, load_pair, dict(type='PackInputs')]

data_root = 'data/samples/clips'
train_dataloader = dict(
    batch_size=1,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='BasicFramesDataset',
        data_root=data_root,
        data_prefix=dict(img='train/LRx4', gt='train/HR'),
        num_input_frames=6,
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='BasicFramesDataset',
        data_root=data_root,
        data_prefix=dict(img='val/LRx4', gt='val/HR'),
        test_mode=True,
        pipeline=val_pipeline))
test_dataloader = val_dataloader

# Video papers measure REDS in RGB and leave out no border.
val_evaluator = [
    dict(type='mmsuper.PSNR', per_image=True),
    dict(type='mmsuper.SSIM', per_image=True),
]
test_evaluator = val_evaluator
