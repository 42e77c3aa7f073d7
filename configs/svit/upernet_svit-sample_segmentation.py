# The demonstration of segmentation: a small SViT in a small UperNet on the sample mosaics,
# from scratch; easier than detection, so half of its iterations do.
_base_ = [
    '../_base_/models/upernet_sample.py',
    '../_base_/datasets/sample_segmentation.py',
    '../_base_/schedules/sample_dense.py',
    '../_base_/runtime/default.py',
]
train_cfg = dict(max_iters=1000)
param_scheduler = [_base_.param_scheduler[0], dict(_base_.param_scheduler[1], end=1000)]
