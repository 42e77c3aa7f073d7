# The demonstration: DLGSANet-tiny x4 on the sample photographs. Not the paper's model,
# which saw 800 pictures of DIV2K for 500,000 iterations.
_base_ = [
    '../_base_/models/dlgsanet_tiny_x4.py',
    '../_base_/datasets/sample_sr.py',
    '../_base_/schedules/sample_3k.py',
    '../_base_/runtime/default.py',
]

# Channel attention in evaluation sees windows of the training crop's size.
model = dict(generator=dict(tlc_kernel=24))
default_hooks = dict(checkpoint=dict(interval=250, save_best='PSNR', rule='greater'))
