"""Flow weights made by hand."""

import pytest
import torch
import torch.nn.functional as F

from mmsuper.projects.ttvsr.block_matching import match_blocks
from mmsuper.projects.ttvsr.network import SPyNet


@pytest.mark.parametrize("shift", [(0, 0), (3, -2), (-4, 0)])
def test_a_moved_picture_is_found(shift):
    """(right, down) by which the content has moved from the reference to the other frame."""
    torch.manual_seed(0)
    texture = F.interpolate(torch.rand(1, 3, 16, 16), 96, mode="bicubic")
    right, down = shift
    reference = texture[..., 16:80, 16:80]
    other = texture[..., 16 - down : 80 - down, 16 - right : 80 - right]
    spynet = SPyNet()
    match_blocks(spynet)
    with torch.inference_mode():
        flow = spynet(reference, other)
    error = (flow - torch.tensor(shift).view(1, 2, 1, 1))[..., 12:-12, 12:-12].norm(dim=1)
    assert error.mean() < 0.4
