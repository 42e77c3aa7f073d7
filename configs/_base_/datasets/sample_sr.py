# The sample photographs in pairs, LR 24x24 crops for training; made on first use.
# For another scale, set data_prefix.img of each data set to LRx2 or LRx3.
load_pair = dict(type='mmsuper.LoadPictures', keys=['img', 'gt'], cache=True)
train_pipeline = [
    load_pair,
    dict(type='mmsuper.PairedCrop', size=24),
    dict(type='Flip', keys=['img', 'gt'], flip_ratio=0.5, direction='horizontal'),
    dict(type='Flip', keys=['img', 'gt'], flip_ratio=0.5, direction='vertical'),
    dict(type='RandomTransposeHW', keys=['img', 'gt'], transpose_ratio=0.5),
    dict(type='PackInputs'),
]
val_pipeline = [load_pair, dict(type='PackInputs')]

data_root = 'data/samples/sr'
train_dataloader = dict(
    batch_size=8,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='BasicImageDataset',
        data_root=data_root,
        ann_file='train.txt',
        data_prefix=dict(img='train/LRx4', gt='train/HR'),
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='BasicImageDataset',
        data_root=data_root,
        ann_file='val.txt',
        data_prefix=dict(img='val/LRx4', gt='val/HR'),
        test_mode=True,
        pipeline=val_pipeline))
test_dataloader = val_dataloader

# The authors leave out 4 pixels at each border at every scale.
val_evaluator = [
    dict(type='mmsuper.PSNR', crop_border=4, y_channel=True, per_image=True),
    dict(type='mmsuper.SSIM', crop_border=4, y_channel=True, per_image=True),
]
test_evaluator = val_evaluator
