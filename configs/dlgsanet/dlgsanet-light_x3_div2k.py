# The paper's light x3: tiny with a fourth group.
_base_ = './dlgsanet-tiny_x3_div2k.py'

model = dict(generator=dict(groups=4))
