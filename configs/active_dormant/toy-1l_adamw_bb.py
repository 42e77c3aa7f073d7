# One layer: the main run.
_base_ = [
    '../_base_/models/bb_toy.py',
    '../_base_/datasets/bb.py',
    '../_base_/schedules/bb_10k.py',
]
