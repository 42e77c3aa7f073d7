# The demonstration at x2.
_base_ = './dlgsanet-tiny_x4_sample.py'

model = dict(generator=dict(upscale=2))
train_dataloader = dict(dataset=dict(data_prefix=dict(img='train/LRx2')))
val_dataloader = dict(dataset=dict(data_prefix=dict(img='val/LRx2')))
test_dataloader = dict(dataset=dict(data_prefix=dict(img='val/LRx2')))
