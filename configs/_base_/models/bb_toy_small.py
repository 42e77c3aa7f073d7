# A toy transformer that trains in minutes on a CPU core.
_base_ = './bb_toy.py'
model = dict(network=dict(dim=64, max_length=64))
