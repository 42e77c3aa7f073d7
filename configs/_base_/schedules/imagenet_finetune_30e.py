# 30 epochs of fine-tuning at a constant learning rate, 512 pictures an iteration.
_base_ = './imagenet_300e.py'

train_cfg = dict(max_epochs=30)
optim_wrapper = dict(optimizer=dict(lr=5e-6, weight_decay=1e-8))
param_scheduler = None
