# The same network, data and schedule, but fed one frame at a time: what time is good for.
_base_ = './ttvsr-tiny_x4_sample.py'
model = dict(frame_by_frame=True)
