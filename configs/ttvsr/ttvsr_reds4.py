# The paper's BI model: trained on REDS, measured on REDS4.
_base_ = [
    '../_base_/models/ttvsr.py',
    '../_base_/datasets/reds.py',
    '../_base_/schedules/vsr_400k.py',
    '../_base_/runtime/iterations_500k.py',
]
