# The paper's BD model: trained on Vimeo-90K, measured on its test clips.
_base_ = [
    '../_base_/models/ttvsr.py',
    '../_base_/datasets/vimeo90k_bd.py',
    '../_base_/schedules/vsr_400k.py',
    '../_base_/runtime/iterations_500k.py',
]
