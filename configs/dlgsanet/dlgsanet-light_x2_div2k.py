# The paper's light x2: tiny with a fourth group.
_base_ = './dlgsanet-tiny_x2_div2k.py'

model = dict(generator=dict(groups=4))
