# The default runtime for schedules of half a million iterations.
_base_ = './default.py'

default_hooks = dict(
    logger=dict(interval=100),
    checkpoint=dict(interval=10_000, save_best='PSNR', rule='greater'))
