# The paper's tiny x3.
_base_ = [
    '../_base_/models/dlgsanet_tiny_x4.py',
    '../_base_/datasets/div2k_x3.py',
    '../_base_/schedules/sr_500k.py',
    '../_base_/runtime/iterations_500k.py',
]

model = dict(generator=dict(upscale=3, tlc_kernel=72))
