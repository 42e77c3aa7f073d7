# DIV2K and the five test sets for x2.
_base_ = ['./div2k.py', './sr_benchmarks.py']

train_dataloader = dict(
    dataset=dict(data_prefix=dict(img='DIV2K_train_LR_bicubic/X2_sub')))
val_dataloader = dict(
    dataset=dict(
        data_prefix=dict(img='DIV2K_valid_LR_bicubic/X2'), filename_tmpl=dict(img='{}x2')))
test_dataloader = [
    dict(loader, dataset=dict(loader.dataset, data_prefix=dict(gt='HR', img='LRx2')))
    for loader in _base_.test_dataloader
]
# As the authors measure, and with the usual border of 2 pixels beside it.
test_evaluator = [
    metrics + [dict(m, crop_border=2, prefix=m.prefix + '_border2') for m in metrics]
    for metrics in _base_.test_evaluator
]
