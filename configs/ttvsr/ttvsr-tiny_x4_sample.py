# The demonstration: a small TTVSR on the sample clips. Not the paper's model, which saw the 266
# clips of REDS for 400,000 iterations. Flow is by weights made by hand and does not learn, which
# halves the time; with OpenMMLab's file, match_blocks=False and flow_init_cfg as in the base.
_base_ = [
    '../_base_/models/ttvsr.py',
    '../_base_/datasets/sample_clips.py',
    '../_base_/schedules/sample_vsr.py',
    '../_base_/runtime/default.py',
]

model = dict(
    fix_iter=1_000_000,
    match_blocks=True,
    # Flow by hand needs no more room than the training's crops of 32x32.
    generator=dict(
        mid_channels=16, num_blocks=3, smallest=32, with_cp=False, flow_init_cfg=None))
