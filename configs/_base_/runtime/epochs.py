# The default runtime for schedules that count in epochs.
_base_ = './default.py'

default_hooks = dict(
    logger=dict(log_metric_by_epoch=True), checkpoint=dict(interval=1, by_epoch=True))
log_processor = dict(by_epoch=True)
