# ADE20K in crops of 512x512, 4 a process for 4 processes; tested whole, short side 512, or
# with --tta at six sizes and mirrored. docs/data.md says where the files go. For
# default_scope = 'mmseg'.
_base_ = 'mmseg::_base_/datasets/ade20k.py'
tta_model = dict(type='SegTTAModel')
