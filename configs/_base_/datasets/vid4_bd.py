# Vid4, blurred and reduced ("BD"): whole sequences, on luma.
# `python -m mmsuper data prepare clips-bd` makes the folders.
val_dataloader = dict(
    batch_size=1,
    num_workers=1,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='BasicFramesDataset',
        data_root='data/Vid4',
        data_prefix=dict(img='BDx4', gt='GT'),
        test_mode=True,
        pipeline=[
            dict(type='mmsuper.ListFrames', scale=4),
            dict(type='mmsuper.LoadPictures', keys=['img', 'gt']),
            dict(type='PackInputs'),
        ]))
test_dataloader = val_dataloader
val_evaluator = [
    dict(type='mmsuper.PSNR', y_channel=True, per_image=True),
    dict(type='mmsuper.SSIM', y_channel=True, per_image=True),
]
test_evaluator = val_evaluator
