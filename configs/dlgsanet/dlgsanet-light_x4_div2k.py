# The paper's light x4: tiny with a fourth group.
_base_ = './dlgsanet-tiny_x4_div2k.py'

model = dict(generator=dict(groups=4))
