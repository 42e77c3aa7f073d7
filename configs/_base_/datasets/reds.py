# REDS with MATLAB bicubic: 266 clips to train with, the four of REDS4 to measure on, in RGB.
# `python -m mmsuper data prepare reds` merges the downloaded parts and makes the lists.
load_pair = dict(type='mmsuper.LoadPictures', keys=['img', 'gt'])
train_pipeline = [
    dict(type='mmsuper.ListFrames', scale=4),
    load_pair,
    dict(type='mmsuper.PairedCrop', size=64),
    dict(type='Flip', keys=['img', 'gt'], flip_ratio=0.5, direction='horizontal'),
    dict(type='Flip', keys=['img', 'gt'], flip_ratio=0.5, direction='vertical'),
    dict(type='RandomTransposeHW', keys=['img', 'gt'], transpose_ratio=0.5),
    dict(type='TemporalReverse', keys=['img', 'gt'], reverse_ratio=0.5),
    dict(type='PackInputs'),
]
val_pipeline = [dict(type='mmsuper.ListFrames', scale=4), load_pair, dict(type='PackInputs')]

data = dict(
    type='BasicFramesDataset',
    data_root='data/REDS',
    data_prefix=dict(img='train_sharp_bicubic/X4', gt='train_sharp'))
# 16 clips an iteration in all: on 8 GPUs, 2 on each.
train_dataloader = dict(
    batch_size=2,
    num_workers=6,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        data, ann_file='train.txt', num_input_frames=50, fixed_seq_len=100, pipeline=train_pipeline))
auto_scale_lr = dict(enable=False, base_batch_size=16)
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        data, ann_file='reds4.txt', fixed_seq_len=100, test_mode=True, pipeline=val_pipeline))
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='mmsuper.PSNR', per_image=True),
    dict(type='mmsuper.SSIM', per_image=True),
]
test_evaluator = val_evaluator
