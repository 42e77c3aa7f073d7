"""SViT for deployment: the same maps with fewer operations.

What is constant in evaluation is multiplied into neighbouring weights, exactly but for
rounding: the input that is added around each depthwise convolution, the batch norms before
feed-forward networks and after downsampling and projection, and the layer scales. The batch
norms of the stem stay: a zero-padded convolution follows them, and the padding would have
to be something else than zero.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from mmsuper.projects.svit.network import Attention, Block, ResidualDepthwise, SViT, SViTNeck


def fold(model: nn.Module) -> nn.Module:
    """A copy of a model, in evaluation mode, whose SViT is folded.

    It gives the same results to about 1e-5 in float32 and is not to be trained.

    Args:
        model: A model that contains a :class:`SViT`: the network itself, a classifier, a
            host library's model.

    Returns:
        The copy; its parameters have other names and values.
    """
    model = copy.deepcopy(model).eval()
    for module in list(model.modules()):
        if isinstance(module, Block):
            _fold_block(module)
        elif isinstance(module, SViT):
            module.downsamples = nn.ModuleList(
                nn.Sequential(fuse_conv_bn_eval(*layers)) for layers in module.downsamples
            )
        elif isinstance(module, SViTNeck):
            module.proj = fuse_linear_bn_eval(module.proj, module.norm)
            module.norm = nn.Identity()
    return model


@torch.no_grad()
def _fold_block(block: Block) -> None:
    block.position = _plain_depthwise(block.position)
    block.ffn.mix = _plain_depthwise(block.ffn.mix)
    scale, shift = _as_scale_and_shift(block.norm2)
    fc1 = block.ffn.fc1
    fc1.bias += fc1.weight @ shift
    fc1.weight *= scale
    block.norm2 = nn.Identity()
    if block.gamma2 is not None:
        _scale_rows(block.ffn.fc2, block.gamma2)
        block.gamma2 = None
    # What follows the last product of attention is linear and the same in every channel.
    if block.gamma1 is not None and isinstance(block.attention.refine, Attention):
        _scale_rows(block.attention.refine.proj, block.gamma1)
        block.gamma1 = None


def _plain_depthwise(layer: ResidualDepthwise) -> nn.Conv2d:
    plain = nn.Conv2d(
        layer.in_channels, layer.out_channels, 3, padding=1, groups=layer.groups, device="meta"
    )
    plain.weight = nn.Parameter(layer.residual_weight().detach())
    plain.bias = layer.bias
    return plain


def _as_scale_and_shift(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    return scale, norm.bias - norm.running_mean * scale


def _scale_rows(layer: nn.Linear, gamma: Tensor) -> None:
    layer.weight *= gamma.flatten()[:, None]
    layer.bias *= gamma.flatten()
