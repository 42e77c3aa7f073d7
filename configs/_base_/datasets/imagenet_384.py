# ImageNet-1K at 384: imagenet_224.py with larger pictures, tested on the whole short side.
_base_ = './imagenet_224.py'

train_pipeline = _base_.train_pipeline
train_pipeline[1]['scale'] = 384
test_pipeline = _base_.test_pipeline
test_pipeline[1]['scale'] = 384
test_pipeline[2]['crop_size'] = 384
# 8 GPUs with 64 pictures each.
train_dataloader = dict(batch_size=64, dataset=dict(pipeline=train_pipeline))
auto_scale_lr = dict(base_batch_size=512)
val_dataloader = dict(batch_size=64, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
