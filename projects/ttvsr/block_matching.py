"""Weights of the flow network made by hand: it then matches blocks, without any training.

The paper begins with a flow network trained on other data. Where that file is not at hand, one
that starts from random weights finds no motion in any training of minutes. These weights make
each level of the pyramid compare the reference with the other frame moved by one pixel in each
of four directions, and go where the difference is smaller; levels add up to several pixels.
Real weights are better; training improves these too.
"""

from __future__ import annotations

import torch
from torch import nn

from mmsuper.projects.ttvsr.network import SPyNet

# Right and left, down and up: each is next to its opposite.
_DIRECTIONS = ((0, 1), (0, -1), (1, 0), (-1, 0))
_MIDDLE = 3  # of a kernel of 7x7


@torch.no_grad()
def match_blocks(spynet: SPyNet, gain: float = 1.5, skipped: int = 2) -> None:
    """Give a flow network weights by which it matches blocks of 13x13 pixels.

    Args:
        spynet: The network; all its weights are replaced.
        gain: Pixels to go for a difference of 1 between two opposite directions, in colours of
            deviation 1. The right one depends on contrast; 1 to 2 suits photographs.
        skipped: The coarsest levels, of so few pixels that they could only guess, find nothing.
    """
    for number, level in enumerate(spynet.levels):
        convs = [layer for layer in level if isinstance(layer, nn.Conv2d)]
        for conv in convs:
            conv.weight.zero_()
            conv.bias.zero_()
        if number >= skipped:
            _fill(convs, gain)


def _fill(convs: list[nn.Conv2d], gain: float) -> None:
    difference, cost, lead, limit, flow = (conv.weight for conv in convs)
    for k, (down, right) in enumerate(_DIRECTIONS):
        opposite = k ^ 1
        # The positive parts of x and -x together are its absolute value.
        for channel, sign in ((k, 1), (k + 4, -1)):
            difference[channel, 0:3, _MIDDLE, _MIDDLE] = sign / 3
            difference[channel, 3:6, _MIDDLE + down, _MIDDLE + right] = -sign / 3
            # How much worse the opposite direction is, over a window.
            cost[k, opposite if sign > 0 else opposite + 4] = 1 / 49
            cost[k, channel] = -1 / 49
        lead[k, k] = gain / 49
        lead[k, opposite] = -gain / 49
        # No further than one pixel: what is beyond it is taken off.
        limit[k, k, _MIDDLE, _MIDDLE] = limit[k + 4, k, _MIDDLE, _MIDDLE] = 1
        convs[3].bias[k + 4] = -1
        axis, sign = (0, right) if right else (1, down)
        flow[axis, k, _MIDDLE, _MIDDLE] = sign
        flow[axis, k + 4, _MIDDLE, _MIDDLE] = -sign
