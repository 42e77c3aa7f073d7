# Vimeo-90K septuplets, blurred and reduced ("BD"): `python -m mmsuper data prepare vimeo90k`
# makes BDx4. Clips of 7 frames are mirrored twice, to 28. Of test clips only the fourth frame
# counts, on luma; validation is on Vid4.
_base_ = './vid4_bd.py'
load_pair = dict(type='mmsuper.LoadPictures', keys=['img', 'gt'])
mirror = dict(type='MirrorSequence', keys=['img', 'gt'])
train_pipeline = [
    dict(type='mmsuper.ListFrames', scale=4),
    load_pair,
    dict(type='mmsuper.PairedCrop', size=64),
    dict(type='Flip', keys=['img', 'gt'], flip_ratio=0.5, direction='horizontal'),
    dict(type='Flip', keys=['img', 'gt'], flip_ratio=0.5, direction='vertical'),
    dict(type='RandomTransposeHW', keys=['img', 'gt'], transpose_ratio=0.5),
    mirror,
    mirror,
    dict(type='PackInputs'),
]
mirror_input = dict(type='MirrorSequence', keys=['img'])
test_pipeline = [
    dict(type='mmsuper.ListFrames', scale=4, middle_truth=True),
    load_pair,
    mirror_input,
    mirror_input,
    dict(type='PackInputs'),
]

data = dict(
    type='BasicFramesDataset',
    data_root='data/vimeo90k',
    data_prefix=dict(img='BDx4', gt='sequences'),
    depth=2,
    fixed_seq_len=7)
# 16 clips an iteration in all: on 8 GPUs, 2 on each.
train_dataloader = dict(
    batch_size=2,
    num_workers=6,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(data, ann_file='sep_trainlist.txt', pipeline=train_pipeline))
auto_scale_lr = dict(enable=False, base_batch_size=16)
test_dataloader = dict(
    dataset=dict(_delete_=True, **data, ann_file='sep_testlist.txt', test_mode=True, pipeline=test_pipeline))
test_evaluator = [
    dict(type='mmsuper.PSNR', y_channel=True),
    dict(type='mmsuper.SSIM', y_channel=True),
]
