"""SViT, a backbone whose early stages attend among a few *super tokens*.

Huaibo Huang, Xiaoqiang Zhou, Jie Cao, Ran He, Tieniu Tan: "Vision Transformer with Super
Token Sampling", CVPR 2023, arXiv 2211.11167.

The idea, in the order of this file:

1. *Super token attention* (paper section 3.2). Tokens are pooled on a regular grid of cells
   into super tokens; every token is associated, by a softmax, with the 3x3 super tokens
   around it; super tokens are made again as association-weighted means; they attend to each
   other; and the same association spreads the result back over the tokens. Where a cell is
   one token this is plain global attention.
2. A *block* is a convolutional position embedding, super token attention, and a
   feed-forward network with a depthwise convolution inside.
3. A convolutional stem and four stages of blocks, of strides 4, 8, 16, 32, make the
   backbone; a projection, a mean and a linear layer make the classifier.

Written from the paper and the behaviour of the authors' release, whose names of arguments
are kept. Maps are (N, C, H, W) and lie channels-last in memory, so that norms and 1x1
convolutions over channels read them as they lie. Differences: no constant fold and unfold
kernels in the checkpoint, attention never writes out its scores, any batch and map size,
and cells need not be square.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mmsuper.registry import MODELS

# ------------------------------------------------------------------------------------------
# 1. Super token attention
#
# Legend: N batch, C channels, H W size of the map, h w size of a cell in tokens,
# I J size of the grid of cells, and so of the map of super tokens.

# A cell's neighbourhood, row by row: neighbour k = 3 * (dy + 1) + (dx + 1).
OFFSETS = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]


def to_cells(x: Tensor, cell: tuple[int, int]) -> Tensor:
    """Cut a map (N, H, W, C) into cells, (N, I, J, h*w, C), with zeros right and below.

    Every token is copied once.
    """
    (n, height, width, channels), (h, w) = x.shape, cell
    rows, columns = (height + h - 1) // h, (width + w - 1) // w
    # An exported graph serves all sizes, so it may not depend on whether this one fits.
    if torch.jit.is_tracing() or rows * h != height or columns * w != width:
        x = F.pad(x, (0, 0, 0, columns * w - width, 0, rows * h - height))
    x = x.view(n, rows, h, columns, w, channels).transpose(2, 3)
    return x.reshape(n, rows, columns, h * w, channels)


def from_cells(x: Tensor, cell: tuple[int, int]) -> Tensor:
    """The map (N, I*h, J*w, C) of cells (N, I, J, h*w, C): the inverse of :func:`to_cells`."""
    (n, rows, columns, _, channels), (h, w) = x.shape, cell
    x = x.view(n, rows, columns, h, w, channels).transpose(2, 3)
    return x.reshape(n, rows * h, columns * w, channels)


def neighbourhood(tokens: Tensor) -> Tensor:
    """The 3x3 super tokens around each one, (N, I, J, C) to (N, I, J, 9, C).

    Outside the grid they are zero.
    """
    _, rows, columns, _ = tokens.shape
    padded = F.pad(tokens, (0, 0, 1, 1, 1, 1))
    views = [padded[:, 1 + y : 1 + y + rows, 1 + x : 1 + x + columns] for y, x in OFFSETS]
    return torch.stack(views, dim=3)


def to_neighbours(shares: Tensor) -> Tensor:
    """Add each cell's shares (N, I, J, 9, C) to its neighbours, (N, I, J, C).

    The adjoint of :func:`neighbourhood`: what goes outside the grid is lost.
    """
    moved = [
        F.pad(share, (0, 0, x, -x, y, -y))
        for share, (y, x) in zip(shares.unbind(3), OFFSETS, strict=True)
    ]
    return torch.stack(moved).sum(0)


def associate(pixels: Tensor, n_iter: int) -> Tensor:
    """How much each token belongs to each of the 3x3 super tokens around its cell.

    Super tokens begin as the means of their cells. A neighbour outside the grid is a zero
    vector and is not masked, so at the border part of the association goes to nothing
    (eq. 3 of the paper; the border is as in the authors' code).

    Args:
        pixels: Tokens by cells, (N, I, J, h*w, C). No gradient flows back to them.
        n_iter: Times that the association is computed; between, super tokens become the
            association-weighted means of the tokens around.

    Returns:
        (N, I, J, h*w, 9), at least in float32, summing to 1 over the last dimension.
    """
    pixels = pixels.detach()
    association = _associate_once(pixels, pixels.mean(3))
    for _ in range(n_iter - 1):
        association = _associate_once(pixels, aggregate(pixels, association))
    return association


def _associate_once(pixels: Tensor, tokens: Tensor) -> Tensor:
    scale = pixels.shape[-1] ** -0.5
    logits = pixels @ neighbourhood(tokens * scale).transpose(-1, -2)
    return logits.to(_sum_dtype(logits)).softmax(-1)


def aggregate(pixels: Tensor, association: Tensor) -> Tensor:
    """Super tokens (N, I, J, C) as the association-weighted means of tokens (eq. 4, 5)."""
    sums = association.to(pixels.dtype).transpose(-1, -2) @ pixels
    weights = to_neighbours(association.sum(3).unsqueeze(-1))
    return (to_neighbours(sums.to(association.dtype)) / (weights + 1e-12)).to(pixels.dtype)


def _sum_dtype(x: Tensor) -> torch.dtype:
    """Sums of many values are kept in float32 where tokens are narrower."""
    return torch.promote_types(x.dtype, torch.float32)


class Pointwise(nn.Linear):
    """1x1 convolution of a map (N, C, H, W); of one that lies channels-last, a product."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_features, H, W) to (N, out_features, H, W)."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Attention(nn.Module):
    """Multi-head attention of all positions of a map to all others.

    Args:
        dim: Channels.
        num_heads: Heads.
        qkv_bias: Whether queries, keys and values have a bias.
        qk_scale: Factor of the scores; by default channels of a head to the power -0.5.
    """

    def __init__(
        self, dim: int, num_heads: int, qkv_bias: bool = True, qk_scale: float | None = None
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.scale = (dim // num_heads) ** -0.5 if qk_scale is None else qk_scale
        self.qkv = Pointwise(dim, 3 * dim, bias=qkv_bias)
        self.proj = Pointwise(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H, W)."""
        n, channels, height, width = x.shape
        q, k, v = self._split(x)
        out = F.scaled_dot_product_attention(q, k, v, scale=self.scale)
        out = out.transpose(1, 2).reshape(n, height, width, channels).permute(0, 3, 1, 2)
        return self.proj(out)

    def weights(self, x: Tensor) -> Tensor:
        """The attention itself, (N, heads, query, key), rows summing to 1; to look at."""
        q, k, _ = self._split(x)
        return (q @ k.transpose(-1, -2) * self.scale).softmax(-1)

    def _split(self, x: Tensor) -> tuple[Tensor, ...]:
        """Queries, keys and values, each (N, heads, H*W, d): views of one product.

        Its channels are ordered by heads: d of query, d of key, d of value, next head.
        """
        n, channels, height, width = x.shape
        qkv = self.qkv(x).permute(0, 2, 3, 1)
        qkv = qkv.reshape(n, height * width, self.num_heads, 3, channels // self.num_heads)
        return qkv.transpose(1, 2).unbind(3)


@dataclass(frozen=True)
class SuperTokenMaps:
    """What super token attention did with one input, to look at.

    Attributes:
        cell: Size (h, w) of a cell in tokens.
        grid: Size (I, J) of the grid of super tokens.
        size: Size (H, W) of the map of tokens.
        association: (N, 9, I*h, J*w), each token's association with the super tokens around
            its cell, in the order of :data:`OFFSETS`; None where a cell is one token.
        attention: (N, heads, query, key) among super tokens, in the order of the grid's
            rows; None where they are not refined by attention.
    """

    cell: tuple[int, int]
    grid: tuple[int, int]
    size: tuple[int, int]
    association: Tensor | None
    attention: Tensor | None

    def labels(self) -> Tensor:
        """Number of the super token that each token belongs to most, (N, H, W).

        Super tokens are numbered by the grid's rows; -1 is outside the grid.

        Raises:
            ValueError: If a cell is one token.
        """
        (rows, columns), (h, w), (height, width) = self.grid, self.cell, self.size
        if self.association is None:
            raise ValueError("cells are single tokens: there is nothing to label")
        best = self.association.argmax(1)[:, :height, :width]
        row = torch.arange(height, device=best.device)[:, None] // h + best // 3 - 1
        column = torch.arange(width, device=best.device) // w + best % 3 - 1
        inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        return torch.where(inside, row * columns + column, -1)


class SuperTokenAttention(nn.Module):
    """Attention among super tokens (paper section 3.2), usable in any network.

    Args:
        dim: Channels.
        stoken_size: Size (h, w) of a cell in tokens; (1, 1) is plain attention.
        n_iter: Times that the association is computed, at least 1.
        num_heads: Heads of the attention among super tokens.
        qkv_bias: See :class:`Attention`.
        qk_scale: See :class:`Attention`.
        refine: What super tokens go through: ``attention``, as in all released models,
            ``conv`` (1x1, depthwise 5x5, 1x1), or ``none``.
    """

    def __init__(
        self,
        dim: int,
        stoken_size: tuple[int, int] = (8, 8),
        n_iter: int = 1,
        num_heads: int = 8,
        qkv_bias: bool = True,
        qk_scale: float | None = None,
        refine: Literal["attention", "conv", "none"] = "attention",
    ) -> None:
        super().__init__()
        if n_iter < 1:
            raise ValueError(f"n_iter must be at least 1, not {n_iter}")
        self.cell = tuple(stoken_size)
        self.n_iter = n_iter
        if refine == "attention":
            self.refine: nn.Module = Attention(dim, num_heads, qkv_bias, qk_scale)
        elif refine == "conv":
            depthwise = nn.Conv2d(dim, dim, 5, padding=2, groups=dim)
            self.refine = nn.Sequential(Pointwise(dim, dim), depthwise, Pointwise(dim, dim))
        else:
            self.refine = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H, W)."""
        if self.cell == (1, 1):
            return self.refine(x)
        height, width = x.shape[-2:]
        pixels = to_cells(x.permute(0, 2, 3, 1), self.cell)
        association = associate(pixels, self.n_iter)
        tokens = aggregate(pixels, association)
        tokens = self.refine(tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        spread = association.to(tokens.dtype) @ neighbourhood(tokens)
        return from_cells(spread, self.cell)[:, :height, :width].permute(0, 3, 1, 2)

    @torch.no_grad()
    def maps(self, x: Tensor) -> SuperTokenMaps:
        """Association and attention for an input (N, C, H, W)."""
        association, tokens = None, x
        if self.cell != (1, 1):
            pixels = to_cells(x.permute(0, 2, 3, 1), self.cell)
            by_cells = associate(pixels, self.n_iter)
            association = from_cells(by_cells, self.cell).permute(0, 3, 1, 2)
            tokens = aggregate(pixels, by_cells).permute(0, 3, 1, 2)
        attends = isinstance(self.refine, Attention)
        return SuperTokenMaps(
            self.cell,
            tuple(tokens.shape[-2:]),
            tuple(x.shape[-2:]),
            association,
            self.refine.weights(tokens) if attends else None,
        )


@contextmanager
def super_token_maps(network: nn.Module) -> Iterator[dict[str, SuperTokenMaps]]:
    """Collect the maps of every super token attention of a network while it runs.

    Args:
        network: Any module that contains :class:`SuperTokenAttention`.

    Yields:
        ``{name of the module: its maps of the last forward pass}``, filled by each pass.
    """
    found: dict[str, SuperTokenMaps] = {}
    handles = [
        module.register_forward_pre_hook(
            lambda module, inputs, name=name: found.update({name: module.maps(*inputs)})
        )
        for name, module in network.named_modules()
        if isinstance(module, SuperTokenAttention)
    ]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


# ------------------------------------------------------------------------------------------
# 2. The block


class ResidualDepthwise(nn.Conv2d):
    """``x + depthwise3x3(x)`` as one convolution: the centre of each kernel has 1 added."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim, dim, 3, padding=1, groups=dim)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H, W)."""
        if torch.jit.is_tracing():  # for ONNX, which wants kernels that are constants
            return x + super().forward(x)
        return self._conv_forward(x, self.residual_weight(), self.bias)

    def residual_weight(self) -> Tensor:
        """The kernels with the input itself added, (C, 1, 3, 3)."""
        return self.weight + F.pad(self.weight.new_ones(1, 1, 1, 1), (1, 1, 1, 1))


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of each position."""

    def __init__(self, dim: int) -> None:
        super().__init__(dim, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H, W)."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class ConvFFN(nn.Module):
    """Feed-forward network that also mixes neighbours (paper section 3.1)."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = Pointwise(dim, hidden)
        self.mix = ResidualDepthwise(hidden)
        self.fc2 = Pointwise(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H, W)."""
        return self.fc2(self.mix(F.gelu(self.fc1(x))))


class DropPath(nn.Module):
    """Leave a branch out for some samples of a batch while training."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same, scaled to keep its mean."""
        if not self.training or self.rate == 0:
            return x
        keep = 1 - self.rate
        return x * x.new_empty(x.shape[0], 1, 1, 1).bernoulli_(keep).div_(keep)

    def extra_repr(self) -> str:
        """The rate, for printing."""
        return f"{self.rate:.3f}"


class Block(nn.Module):
    """Position embedding, super token attention, feed-forward network.

    Args:
        dim: Channels.
        attention: The attention.
        mlp_ratio: Hidden channels of the feed-forward network by channels.
        drop_path: Probability of leaving a branch out in training.
        layerscale: First value of the learned factors of the branches; None: no factors.
    """

    def __init__(
        self,
        dim: int,
        attention: SuperTokenAttention,
        mlp_ratio: float,
        drop_path: float,
        layerscale: float | None,
    ) -> None:
        super().__init__()
        self.position = ResidualDepthwise(dim)
        self.norm1 = ChannelNorm(dim)
        self.attention = attention
        self.norm2 = nn.BatchNorm2d(dim)
        self.ffn = ConvFFN(dim, int(dim * mlp_ratio))
        self.drop_path = DropPath(drop_path)
        self.gamma1 = self.gamma2 = None
        if layerscale is not None:
            # Of four dimensions, so that weight decay takes them, as it does the authors'.
            self.gamma1 = nn.Parameter(torch.full((1, dim, 1, 1), layerscale))
            self.gamma2 = nn.Parameter(torch.full((1, dim, 1, 1), layerscale))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H, W)."""
        x = self.position(x)
        x = x + self._branch(self.attention(self.norm1(x)), self.gamma1)
        return x + self._branch(self.ffn(self.norm2(x)), self.gamma2)

    def _branch(self, x: Tensor, gamma: Tensor | None) -> Tensor:
        return self.drop_path(x if gamma is None else gamma * x)


# ------------------------------------------------------------------------------------------
# 3. Backbone and classifier


def make_stem(in_chans: int, dim: int) -> nn.Sequential:
    """Four 3x3 convolutions to a quarter of the size; here batch norm follows GELU."""
    widths, strides = [in_chans, dim // 2, dim // 2, dim, dim], [2, 1, 2, 1]
    layers: list[nn.Module] = []
    for before, after, stride in zip(widths, widths[1:], strides, strict=False):
        layers += [nn.Conv2d(before, after, 3, stride, 1), nn.GELU(), nn.BatchNorm2d(after)]
    return nn.Sequential(*layers)


def make_downsample(before: int, after: int) -> nn.Sequential:
    """Half the size and the next stage's channels."""
    return nn.Sequential(nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after))


@MODELS.register_module()
class SViT(nn.Module):
    """The backbone. Defaults are SViT-S, for classification.

    Args:
        in_chans: Channels of the input.
        embed_dim: Channels of each stage.
        depths: Blocks of each stage.
        num_heads: Heads of each stage.
        n_iter: Iterations of the association, of each stage.
        stoken_size: Tokens a side of each stage's (square) cells, or (height, width). The
            weights do not depend on it; for large images use [16, 8, 1, 1].
        mlp_ratio: Hidden channels of feed-forward networks by channels.
        qkv_bias: Whether queries, keys and values have a bias.
        qk_scale: Factor of attention scores; by default channels of a head to the -0.5.
        layerscale: Of each stage, whether its blocks' branches have learned factors.
        init_values: First value of these factors.
        drop_path_rate: Probability of leaving a branch out in training, of the last block;
            it grows linearly from 0 at the first.
        out_indices: Stages whose maps are returned.
        out_norm: Whether each of them goes through a layer norm, as dense heads want it.
        frozen_stages: How far the network is not trained: -1 not at all, 0 the stem, i the
            stem and stages 0 to i - 1, with the downsampling after each. Frozen parts stay
            in evaluation mode.
        norm_eval: Keep batch norms in evaluation mode while training.
        with_cp: Compute blocks again in the backward pass instead of keeping what is inside.
        init_cfg: ``dict(type='Pretrained', checkpoint=PATH)``: weights that MMEngine's
            ``init_weights`` loads, ours or the authors'.

    Raises:
        ValueError: If the lists are not of one length, or heads do not divide channels.
    """

    def __init__(
        self,
        in_chans: int = 3,
        embed_dim: Sequence[int] = (64, 128, 320, 512),
        depths: Sequence[int] = (3, 5, 9, 3),
        num_heads: Sequence[int] = (1, 2, 5, 8),
        n_iter: Sequence[int] = (1, 1, 1, 1),
        stoken_size: Sequence[int | tuple[int, int]] = (8, 4, 1, 1),
        mlp_ratio: float = 4,
        qkv_bias: bool = True,
        qk_scale: float | None = None,
        layerscale: Sequence[bool] = (False, False, False, False),
        init_values: float = 1e-6,
        drop_path_rate: float = 0.0,
        out_indices: Sequence[int] = (0, 1, 2, 3),
        out_norm: bool = False,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        with_cp: bool = False,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__()
        _check_stages(embed_dim, depths, num_heads, n_iter, stoken_size, layerscale)
        rates = iter(torch.linspace(0, drop_path_rate, sum(depths), device="cpu").tolist())
        self.stem = make_stem(in_chans, embed_dim[0])
        self.stages = nn.ModuleList()
        for i, dim in enumerate(embed_dim):
            cell = stoken_size[i]
            cell = (cell, cell) if isinstance(cell, int) else tuple(cell)
            blocks = [
                Block(
                    dim,
                    SuperTokenAttention(dim, cell, n_iter[i], num_heads[i], qkv_bias, qk_scale),
                    mlp_ratio,
                    next(rates),
                    init_values if layerscale[i] else None,
                )
                for _ in range(depths[i])
            ]
            self.stages.append(nn.Sequential(*blocks))
        self.downsamples = nn.ModuleList(map(make_downsample, embed_dim[:-1], embed_dim[1:]))
        self.out_indices = tuple(out_indices)
        self.out_norms = nn.ModuleDict(
            {str(i): ChannelNorm(embed_dim[i]) for i in self.out_indices if out_norm}
        )
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.with_cp = with_cp
        self.init_cfg = init_cfg
        for module in self._frozen():
            module.requires_grad_(False)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Maps of an image (N, in_chans, H, W).

        Returns:
            For each stage i of ``out_indices``, (N, embed_dim[i], H / 2^(i+2), W / 2^(i+2)),
            sizes rounded up; channels-first in memory too.
        """
        x = self.stem(x.contiguous(memory_format=torch.channels_last))
        found = []
        for i, stage in enumerate(self.stages):
            for block in stage:
                x = self._run(block, x)
            if i in self.out_indices:
                out = self.out_norms[str(i)](x) if self.out_norms else x
                # mmcv's operators (RoI align) read memory as if it were channels-first.
                found.append(out.contiguous())
            if i < max(self.out_indices):
                x = self.downsamples[i](x)
        return tuple(found)

    def train(self, mode: bool = True) -> SViT:
        """Change the mode of all that is neither frozen nor kept in evaluation mode."""
        super().train(mode)
        for module in self._frozen():
            module.eval()
        for module in self.modules():
            if self.norm_eval and isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def init_weights(self) -> None:
        """Load the checkpoint of ``init_cfg``; MMEngine calls this before training.

        Raises:
            UserError: If it cannot be read or is of another network.
        """
        from mmsuper.checkpoint import load_pretrained

        if self.init_cfg is not None:
            # A classifier has no norms for dense heads.
            load_pretrained(self, self.init_cfg, optional=("out_norms.",))

    def _run(self, block: nn.Module, x: Tensor) -> Tensor:
        if self.with_cp and torch.is_grad_enabled():
            return checkpoint(block, x, use_reentrant=False)
        return block(x)

    def _frozen(self) -> list[nn.Module]:
        stages = [*self.stages][: max(self.frozen_stages, 0)]
        downsamples = [*self.downsamples][: max(self.frozen_stages, 0)]
        return [self.stem, *stages, *downsamples] if self.frozen_stages >= 0 else []


def _check_stages(embed_dim: Sequence[int], *others: Sequence) -> None:
    if any(len(values) != len(embed_dim) for values in others):
        raise ValueError(
            f"embed_dim is of {len(embed_dim)} stages; depths, num_heads, n_iter, stoken_size "
            "and layerscale must be too"
        )
    for dim, heads in zip(embed_dim, others[1], strict=True):
        if dim % heads:
            raise ValueError(f"{heads} heads do not divide {dim} channels")


@MODELS.register_module()
class SViTNeck(nn.Module):
    """From the last map to a vector: 1x1 convolution, batch norm, swish, mean.

    Args:
        in_channels: Channels of the map.
        projection: Length of the vector.
        norm_eval: Keep the batch norm in evaluation mode while training.
    """

    def __init__(
        self, in_channels: int = 512, projection: int = 1024, norm_eval: bool = False
    ) -> None:
        super().__init__()
        self.proj = Pointwise(in_channels, projection)
        self.norm = nn.BatchNorm2d(projection)
        self.norm_eval = norm_eval

    def forward(self, maps: tuple[Tensor, ...]) -> tuple[Tensor]:
        """The last of the maps, (N, C, H, W), to one vector a sample, (N, projection)."""
        return (F.silu(self.norm(self.proj(maps[-1]))).mean((2, 3)),)

    def train(self, mode: bool = True) -> SViTNeck:
        """Change the mode, but for a batch norm that is kept in evaluation mode."""
        super().train(mode)
        if self.norm_eval:
            self.norm.eval()
        return self


class SViTClassifier(nn.Module):
    """Backbone, neck and a linear layer; tensors are named as in mmpretrain's classifier.

    Args:
        backbone: The backbone.
        projection: Length of the vector before the linear layer.
        num_classes: Number of classes.
    """

    def __init__(self, backbone: SViT, projection: int = 1024, num_classes: int = 1000) -> None:
        super().__init__()
        self.backbone = backbone
        channels = backbone.stages[-1][-1].norm1.normalized_shape[0]
        self.neck = SViTNeck(channels, projection)
        self.head = nn.Sequential(OrderedDict(fc=nn.Linear(projection, num_classes)))
        nn.init.trunc_normal_(self.head.fc.weight, std=0.02)
        nn.init.zeros_(self.head.fc.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (N, num_classes), before softmax, of images (N, in_chans, H, W)."""
        return self.head(*self.neck(self.backbone(x)))
