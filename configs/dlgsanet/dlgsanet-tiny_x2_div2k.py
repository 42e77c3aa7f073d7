# The paper's tiny x2.
_base_ = [
    '../_base_/models/dlgsanet_tiny_x4.py',
    '../_base_/datasets/div2k_x2.py',
    '../_base_/schedules/sr_500k.py',
    '../_base_/runtime/iterations_500k.py',
]

model = dict(generator=dict(upscale=2, tlc_kernel=96))
