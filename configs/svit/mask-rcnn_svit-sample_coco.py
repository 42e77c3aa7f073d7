# The demonstration of detection: a small SViT in a small Mask R-CNN on the sample instances,
# from scratch.
_base_ = [
    '../_base_/models/mask_rcnn_sample.py',
    '../_base_/datasets/sample_coco.py',
    '../_base_/schedules/sample_dense.py',
    '../_base_/runtime/default.py',
]
train_dataloader = dict(batch_size=4, sampler=dict(type='InfiniteSampler'))
