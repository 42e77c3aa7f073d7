# The paper's tiny x4, with its training and its five test sets.
_base_ = [
    '../_base_/models/dlgsanet_tiny_x4.py',
    '../_base_/datasets/div2k.py',
    '../_base_/datasets/sr_benchmarks.py',
    '../_base_/schedules/sr_500k.py',
    '../_base_/runtime/iterations_500k.py',
]
