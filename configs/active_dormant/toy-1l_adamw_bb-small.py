# One layer, small: three minutes of a CPU core.
_base_ = [
    '../_base_/models/bb_toy_small.py',
    '../_base_/datasets/bb_small.py',
    '../_base_/schedules/bb_minutes.py',
]
