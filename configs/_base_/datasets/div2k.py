# DIV2K for x4: training on sub-images of 480x480 (LR 120x120), validation on whole pictures.
# `python -m mmsuper data prepare div2k` makes the folders that end in _sub.
# A damaged picture stops the training; skip_damaged=True leaves it out with a warning.
load_pair = dict(type='mmsuper.LoadPictures', keys=['img', 'gt'])
train_pipeline = [
    load_pair,
    dict(type='mmsuper.PairedCrop', size=48),
    dict(type='Flip', keys=['img', 'gt'], flip_ratio=0.5, direction='horizontal'),
    dict(type='Flip', keys=['img', 'gt'], flip_ratio=0.5, direction='vertical'),
    dict(type='RandomTransposeHW', keys=['img', 'gt'], transpose_ratio=0.5),
    dict(type='PackInputs'),
]
val_pipeline = [load_pair, dict(type='mmsuper.CropTruth'), dict(type='PackInputs')]

data_root = 'data/DIV2K'
# 16 pictures an iteration in all: on two GPUs, 8 on each.
train_dataloader = dict(
    batch_size=16,
    num_workers=6,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='BasicImageDataset',
        data_root=data_root,
        ann_file='train_sub.txt',
        data_prefix=dict(img='DIV2K_train_LR_bicubic/X4_sub', gt='DIV2K_train_HR_sub'),
        filename_tmpl=dict(img='{}', gt='{}'),
        pipeline=train_pipeline))
auto_scale_lr = dict(enable=False, base_batch_size=16)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='BasicImageDataset',
        data_root=data_root,
        data_prefix=dict(gt='DIV2K_valid_HR', img='DIV2K_valid_LR_bicubic/X4'),
        filename_tmpl=dict(img='{}x4', gt='{}'),
        test_mode=True,
        pipeline=val_pipeline))
val_evaluator = [dict(type='mmsuper.PSNR', crop_border=4, y_channel=True)]
