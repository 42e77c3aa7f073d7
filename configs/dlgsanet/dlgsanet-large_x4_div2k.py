# The paper's large x4, its plain "DLGSANet".
_base_ = './dlgsanet-tiny_x4_div2k.py'

model = dict(generator=dict(dim=90, groups=6, blocks=4))
