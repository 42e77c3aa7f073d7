# The five test sets of super-resolution papers for x4, measured on luma.
# The authors leave out 4 pixels at each border at every scale.
test_dataloader = [
    dict(
        batch_size=1,
        num_workers=2,
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(
            type='BasicImageDataset',
            data_root=f'data/{name}',
            data_prefix=dict(gt='HR', img='LRx4'),
            test_mode=True,
            pipeline=[
                dict(type='mmsuper.LoadPictures', keys=['img', 'gt']),
                dict(type='mmsuper.CropTruth'),
                dict(type='PackInputs'),
            ]))
    for name in ('Set5', 'Set14', 'B100', 'Urban100', 'Manga109')
]
test_evaluator = [
    [
        dict(type='mmsuper.PSNR', crop_border=4, y_channel=True, prefix=name),
        dict(type='mmsuper.SSIM', crop_border=4, y_channel=True, prefix=name),
    ]
    for name in ('Set5', 'Set14', 'B100', 'Urban100', 'Manga109')
]
