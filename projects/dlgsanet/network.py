"""DLGSANet, a light-weight network for single-image super-resolution.

Xiang Li, Jinshan Pan, Jinhui Tang, Jiangxin Dong: "DLGSANet: Lightweight Dynamic Local and
Global Self-Attention Networks for Image Super-Resolution", ICCV 2023, arXiv 2301.02031.

The idea, in the order of this file:

1. A *dynamic depthwise convolution*: every pixel is filtered by a 7x7 kernel of its own,
   predicted from that pixel's features. The authors' version is a CUDA kernel; this one is
   plain PyTorch, holds the predicted kernels of a few image rows at a time, and computes
   them again in the backward pass.
2. The *local layer* (multi-head dynamic local self-attention, MHDLSA) is that convolution
   between two 1x1 convolutions.
3. The *global layer* (sparse global self-attention, SparseGSA) lets channels attend to
   channels, with ReLU in place of softmax so that what does not match contributes nothing.
   In evaluation it works in overlapping windows of about the training size.
4. Each is followed by a gated feed-forward network; B pairs and a 3x3 convolution make a
   residual group, G groups and a pixel shuffle make the network.

Written from the paper and the behaviour of the authors' release; names of arguments are
theirs. Differences: any batch size in the windowed evaluation, any device and dtype, and no
``input_resolution`` (costs are counted by :meth:`DLGSANet.flops`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import register_flop_formula

from mmsuper.registry import MODELS

# The mean colour of DIV2K, subtracted from RGB input.
DIV2K_MEAN = (0.4488, 0.4371, 0.4040)

# ------------------------------------------------------------------------------------------
# 1. Dynamic depthwise convolution
#
# Legend: N batch, C channels, G kernel groups, c = C // G channels that share a kernel,
# R channels of the features that predict kernels, K kernel side, H W size of the map,
# h rows of a band.

# Values of one band of the map. On a CPU all that is live at a time stays in the cache; an
# accelerator wants few large launches.
BAND_CPU = 2**16
BAND_ACCELERATOR = 2**22


@torch.library.custom_op("mmsuper::dynamic_depthwise_conv", mutates_args=())
def dynamic_depthwise_conv(
    x: Tensor, features: Tensor, weight: Tensor, bias: Tensor, kernel_size: int
) -> Tensor:
    """Filter each pixel by its own kernel, itself a linear function of the pixel's features.

    ``kernel = weight @ features + bias`` has ``G*K*K`` values a pixel, 49 G in the paper,
    far more than the map. They live for one band of rows at a time, and ``K*K`` copies of
    ``x`` are never made: the sum over taps runs over shifted views.

    Args:
        x: Map to filter, (N, C, H, W).
        features: What kernels are predicted from, (N, R, H, W).
        weight: Prediction weights, (G*K*K, R); row ``g*K*K + K*i + j`` gives tap (i, j) of
            the kernel that channels ``g*c ... (g+1)*c - 1`` share.
        bias: Prediction biases, (G*K*K,).
        kernel_size: K, odd.

    Returns:
        Filtered map, (N, C, H, W); outside the image ``x`` counts as zero.
    """
    maps = _Maps(x, weight, kernel_size)
    out = torch.zeros(maps.shape, dtype=maps.sum_dtype, device=x.device)
    for n, rows in maps.bands():
        kernels = maps.predict(features[n, :, rows], weight, bias)
        for tap in range(kernel_size**2):
            out[n, :, :, rows].addcmul_(kernels[:, tap, None], maps.under(tap, n, rows))
    return out.view(x.shape).to(x.dtype)


@torch.library.custom_op("mmsuper::dynamic_depthwise_conv_backward", mutates_args=())
def dynamic_depthwise_conv_backward(
    grad: Tensor, x: Tensor, features: Tensor, weight: Tensor, bias: Tensor, kernel_size: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of :func:`dynamic_depthwise_conv`; kernels are computed again, by bands."""
    maps = _Maps(x, weight, kernel_size)
    grad = grad.reshape(maps.shape)
    grad_padded = torch.zeros_like(maps.padded, dtype=maps.sum_dtype)
    grad_features = torch.empty_like(features)
    grad_weight = torch.zeros_like(weight, dtype=maps.sum_dtype)
    grad_bias = torch.zeros_like(bias, dtype=maps.sum_dtype)
    for n, rows in maps.bands():
        kernels = maps.predict(features[n, :, rows], weight, bias)
        grad_kernels = torch.empty_like(kernels)
        band = grad[n, :, :, rows]
        for tap in range(kernel_size**2):
            maps.under(tap, n, rows, grad_padded).addcmul_(kernels[:, tap, None], band)
            torch.sum(band * maps.under(tap, n, rows), dim=1, out=grad_kernels[:, tap])
        grad_kernels = grad_kernels.view(weight.shape[0], -1)
        pixels = features[n, :, rows].flatten(1)
        grad_features[n, :, rows] = (weight.T @ grad_kernels).view_as(features[n, :, rows])
        grad_weight += grad_kernels @ pixels.T
        grad_bias += grad_kernels.sum(1)
    half = kernel_size // 2
    grad_x = F.pad(grad_padded, (-half,) * 4).reshape(x.shape).to(x.dtype)
    return grad_x, grad_features, grad_weight.to(weight.dtype), grad_bias.to(bias.dtype)


class _Maps:
    """A padded map, its bands of rows, and its shifted views under the taps of kernels."""

    def __init__(self, x: Tensor, weight: Tensor, kernel_size: int) -> None:
        n, channels, height, width = x.shape
        groups = weight.shape[0] // kernel_size**2
        self.kernel_size = kernel_size
        self.shape = (n, groups, channels // groups, height, width)
        self.padded = F.pad(x.reshape(self.shape), (kernel_size // 2,) * 4)
        # Sums of many products are kept in float32 where the map itself is narrower.
        self.sum_dtype = torch.promote_types(x.dtype, torch.float32)

    def bands(self) -> Iterator[tuple[int, slice]]:
        """Sample and rows of every band."""
        n, groups, channels, height, width = self.shape
        values = BAND_CPU if self.padded.device.type == "cpu" else BAND_ACCELERATOR
        step = max(1, values // (groups * channels * width))
        for sample, top in product(range(n), range(0, height, step)):
            yield sample, slice(top, min(top + step, height))

    def predict(self, features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Kernels of a band, (G, K*K, h, W), from its features (R, h, W)."""
        kernels = torch.addmm(bias[:, None], weight, features.flatten(1))
        return kernels.view(self.shape[1], self.kernel_size**2, *features.shape[1:])

    def under(self, tap: int, n: int, rows: slice, padded: Tensor | None = None) -> Tensor:
        """View of the map, or of one like it, under a tap of a band's kernels, (G, c, h, W)."""
        i, j = divmod(tap, self.kernel_size)
        padded = self.padded if padded is None else padded
        return padded[n, :, :, rows.start + i : rows.stop + i, j : j + self.shape[-1]]


@dynamic_depthwise_conv.register_fake
def _(x: Tensor, features: Tensor, weight: Tensor, bias: Tensor, kernel_size: int) -> Tensor:
    return x.new_empty(x.shape)


@register_flop_formula(torch.ops.mmsuper.dynamic_depthwise_conv)
def _(x: list, features: list, weight: list, bias: list, kernel_size: int, **_: Any) -> int:
    """Operations from shapes, for PyTorch's counter: two for each multiply-add."""
    n, channels, height, width = x
    return 2 * n * height * width * (math.prod(weight) + kernel_size**2 * channels)


@dynamic_depthwise_conv_backward.register_fake
def _(
    grad: Tensor, x: Tensor, features: Tensor, weight: Tensor, bias: Tensor, kernel_size: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return (
        x.new_empty(x.shape),
        torch.empty_like(features),
        torch.empty_like(weight),
        torch.empty_like(bias),
    )


def _save_inputs(ctx: Any, inputs: tuple, output: Tensor) -> None:
    *tensors, ctx.kernel_size = inputs
    ctx.save_for_backward(*tensors)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    return *dynamic_depthwise_conv_backward(grad, *ctx.saved_tensors, ctx.kernel_size), None


dynamic_depthwise_conv.register_autograd(_backward, setup_context=_save_inputs)


# ------------------------------------------------------------------------------------------
# 2. Local layer


class DynamicLocalAttention(nn.Module):
    """MHDLSA: a depthwise convolution whose kernels a small network predicts per pixel.

    Args:
        dim: Channels C.
        kernel_size: Side K of the kernels.
        channels_per_group: Channels that share a kernel. The authors' configs call it
            ``idynamic_num_heads`` although it is no number of heads.
        dynamic: If False, an ordinary depthwise convolution stands in (ablation).

    Shape:
        x: (N, C, H, W) -> (N, C, H, W).

    Reference:
        Paper, section 3.2.
    """

    def __init__(
        self, dim: int, kernel_size: int, channels_per_group: int, dynamic: bool = True
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.project_in = nn.Conv2d(dim, dim, 1, bias=False)
        if dynamic:
            reduced = dim // 4
            taps = dim // channels_per_group * kernel_size**2
            self.hyper = nn.Sequential(
                nn.Conv2d(dim, reduced, 1),
                nn.Conv2d(reduced, reduced, kernel_size, padding="same", groups=reduced),
            )
            self.kernel = nn.Conv2d(reduced, taps, 1)
        else:
            self.static = nn.Conv2d(dim, dim, kernel_size, padding="same", groups=dim)
        self.project_out = nn.Conv2d(dim, dim, 1, bias=False)
        self.dynamic = dynamic

    def forward(self, x: Tensor) -> Tensor:
        x = self.project_in(x)
        return self.project_out(self.filter(x) if self.dynamic else self.static(x))

    def filter(self, x: Tensor) -> Tensor:
        """The dynamic convolution, on rows of pixels rather than of channels in memory."""
        weight, bias = self.kernel.weight.flatten(1).to(x.dtype), self.kernel.bias.to(x.dtype)
        x, features = x.contiguous(), self.hyper(x).contiguous()
        x = dynamic_depthwise_conv(x, features, weight, bias, self.kernel_size)
        return x.contiguous(memory_format=torch.channels_last)


class ChannelNorm(nn.Module):
    """Layer norm over the channels of each pixel of an (N, C, H, W) map.

    The network keeps channels last in memory, where this is a plain layer norm of a view
    and the depthwise convolutions are fastest.
    """

    def __init__(self, dim: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)
        x = F.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)


class GatedFFN(nn.Module):
    """GDFN: one half of the hidden channels gates the other, after a depthwise convolution.

    Shape:
        x: (N, C, H, W) -> (N, C, H, W).
    """

    def __init__(self, dim: int, expansion: float) -> None:
        super().__init__()
        hidden = int(dim * expansion)
        self.project_in = nn.Conv2d(dim, 2 * hidden, 1, bias=False)
        self.dwconv = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=False)
        self.project_out = nn.Conv2d(hidden, dim, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.dwconv(self.project_in(x)).chunk(2, dim=1)
        return self.project_out(F.gelu(gate) * value)


class PlainFFN(nn.Module):
    """Two 1x1 convolutions with a GELU between (ablation)."""

    def __init__(self, dim: int, expansion: float) -> None:
        super().__init__()
        hidden = int(dim * expansion)
        self.body = nn.Sequential(nn.Conv2d(dim, hidden, 1), nn.GELU(), nn.Conv2d(hidden, dim, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


FFN = {"GDFN": GatedFFN, "BaseFFN": PlainFFN}


class LocalLayer(nn.Module):
    """MHDLSA and a feed-forward network, each normalised before and added to its input."""

    def __init__(self, dim: int, attention: nn.Module, ffn: nn.Module) -> None:
        super().__init__()
        self.norm1, self.attention = ChannelNorm(dim), attention
        self.norm2, self.ffn = ChannelNorm(dim), ffn

    def forward(self, x: Tensor) -> Tensor:
        x = self.attention(self.norm1(x)) + x
        return self.ffn(self.norm2(x)) + x


# ------------------------------------------------------------------------------------------
# 3. Global layer

ACTIVATIONS = {
    "relu": F.relu,
    "gelu": F.gelu,
    "sigmoid": torch.sigmoid,
    "softmax": lambda similarity: similarity.softmax(-1),
}


def window_starts(length: int, size: int) -> list[int]:
    """Where the windows that cover an axis begin, spread evenly; the last ends at the end.

    Args:
        length: Length of the axis.
        size: Length of a window, at most ``length``.
    """
    count = (length - 1) // size + 1
    if count == 1:
        return [0]
    step = math.ceil((length - size) / (count - 1) - 1e-8)
    starts = list(range(0, length, step))
    last = next(i for i, start in enumerate(starts) if start + size >= length)
    return [*starts[:last], length - size]


def window_spans(whole: int, size: int, offset: int, length: int) -> list[tuple[int, int]]:
    """Begin and end of the windows of an axis of length ``whole``, as seen in a part of it.

    The part is ``length`` positions from ``offset``; windows are cut at its ends, and those
    outside are left out. With offset 0 and ``length == whole`` these are all windows.
    """
    size = min(size, whole)
    spans = (
        (max(start - offset, 0), min(start + size - offset, length))
        for start in window_starts(whole, size)
    )
    return [(begin, end) for begin, end in spans if begin < end]


class SparseGlobalAttention(nn.Module):
    """SparseGSA: attention among channels, ReLU instead of softmax.

    In training, positions of the whole map are summed. In evaluation the sums run over
    windows of about the training size, and each pixel takes the mean of the windows over it
    (the test-time local converter), so that the similarities have the training statistics.

    Args:
        dim: Channels C.
        heads: Channels are compared within this many groups.
        activation: ``relu`` (the paper), ``gelu``, ``sigmoid``, ``softmax``; identity else.
        window: Side of the windows in evaluation; None for the whole map.

    Shape:
        x: (N, C, H, W) -> (N, C, H, W).

    Reference:
        Paper, section 3.3.
    """

    def __init__(self, dim: int, heads: int, activation: str, window: int | None) -> None:
        super().__init__()
        self.heads = heads
        self.window = window
        self.crop: tuple[int, int, int, int] | None = None  # see DLGSANet.part_of
        self.activation = ACTIVATIONS.get(activation, nn.Identity())
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.qkv = nn.Conv2d(dim, 3 * dim, 1, bias=False)
        self.qkv_dwconv = nn.Conv2d(3 * dim, 3 * dim, 3, padding=1, groups=3 * dim, bias=False)
        self.project_out = nn.Conv2d(dim, dim, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.qkv_dwconv(self.qkv(x)).contiguous()
        windowed = self.window is not None and not self.training
        return self.project_out(self.attend_in_windows(qkv) if windowed else self.attend(qkv))

    def attend(self, qkv: Tensor) -> Tensor:
        """(N, 3C, h, w) -> (N, C, h, w), over all positions at once."""
        n, channels, height, width = qkv.shape
        shape = (n, 3, self.heads, channels // 3 // self.heads, height * width)
        q, k, v = qkv.reshape(shape).unbind(1)
        q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
        similarity = q @ k.transpose(-2, -1)  # (N, heads, C/heads, C/heads)
        out = self.activation(similarity * self.temperature) @ v
        return out.reshape(n, channels // 3, height, width)

    def attend_in_windows(self, qkv: Tensor) -> Tensor:
        """The mean over the windows that cover a pixel; windows are alike on both axes."""
        n, channels, height, width = qkv.shape
        top, left, whole_height, whole_width = self.crop or (0, 0, height, width)
        rows = window_spans(whole_height, self.window, top, height)
        columns = window_spans(whole_width, self.window, left, width)
        if len(rows) == len(columns) == 1:
            return self.attend(qkv)
        total = qkv.new_zeros(n, channels // 3, height, width)
        for row, column in product(rows, columns):
            window = (..., slice(*row), slice(*column))
            total[window] += self.attend(qkv[window])
        return total.div_(_cover(rows, height, qkv)[:, None]).div_(_cover(columns, width, qkv))


def _cover(spans: list[tuple[int, int]], length: int, like: Tensor) -> Tensor:
    """How many windows lie over each position of an axis, (length,)."""
    position = torch.arange(length, device=like.device)
    begin, end = torch.tensor(spans, device=like.device).T[..., None]
    return ((begin <= position) & (position < end)).sum(0).to(like.dtype)


class GlobalLayer(nn.Module):
    """SparseGSA and a feed-forward network, each normalised before and added to its input."""

    def __init__(self, dim: int, attention: nn.Module, ffn: nn.Module) -> None:
        super().__init__()
        self.norm3, self.attention = ChannelNorm(dim), attention
        self.norm4, self.ffn = ChannelNorm(dim), ffn

    def forward(self, x: Tensor) -> Tensor:
        x = self.attention(self.norm3(x)) + x
        return self.ffn(self.norm4(x)) + x


# ------------------------------------------------------------------------------------------
# 4. The network


class ResidualGroup(nn.Module):
    """Layers and a 3x3 convolution, added to their input."""

    def __init__(self, *body: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*body)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + x


@MODELS.register_module()
class DLGSANet(nn.Module):
    """The network. Defaults are the paper's "light" model at x4.

    Args:
        upscale: Factor r of the enlargement, 2, 3 or 4 in the paper.
        in_chans: Channels of the image. The mean colour is subtracted only where they are 3.
        dim: Channels C: 48 (tiny, light) or 90 (large).
        groups: Residual groups G: 3, 4, 6 for tiny, light, large.
        blocks: Pairs of a local and a global layer in a group: 3, 3, 4.
        buildblock_type: ``sparseedge``, the paper's pairs; ablations: ``edge`` (pairs with
            softmax attention), ``idynamic`` (local layers only), ``restormer`` (softmax
            global layers only).
        window_size: Side of the dynamic kernels.
        idynamic_num_heads: Channels that share a dynamic kernel.
        idynamic_ffn_type: Feed-forward network of local layers, ``GDFN`` or ``BaseFFN``.
        idynamic_ffn_expansion_factor: Its hidden channels over C.
        idynamic: False puts ordinary depthwise convolutions in the local layers.
        restormer_num_heads: Heads of the channel attention.
        restormer_ffn_type: As above, for global layers.
        restormer_ffn_expansion_factor: As above, for global layers.
        tlc_flag: Windowed channel attention in evaluation.
        tlc_kernel: Side of its windows; the paper has 96, 72, 48 for x2, x3, x4. Softmax
            layers always use 48, as in the authors' code.
        activation: Of the channel attention; see :class:`SparseGlobalAttention`.
        body_norm: Channel norms before and after the groups (no published model has them).
        img_range: The network computes on ``(x - mean) * img_range``.
        upsampler: ``pixelshuffledirect`` (published), ``pixelshuffle``, or anything else for
            an output of the input's size.

    Shape:
        x: (N, in_chans, H, W), H and W at least 1, values in [0, 1] for RGB
        -> (N, in_chans, r*H, r*W), not clamped.

    Raises:
        ValueError: If an argument has no meaning.

    Reference:
        Paper, section 3.1 and figure 2.
    """

    def __init__(
        self,
        upscale: int = 4,
        in_chans: int = 3,
        dim: int = 48,
        groups: int = 4,
        blocks: int = 3,
        buildblock_type: str = "sparseedge",
        window_size: int = 7,
        idynamic_num_heads: int = 6,
        idynamic_ffn_type: str = "GDFN",
        idynamic_ffn_expansion_factor: float = 2.0,
        idynamic: bool = True,
        restormer_num_heads: int = 6,
        restormer_ffn_type: str = "GDFN",
        restormer_ffn_expansion_factor: float = 2.0,
        tlc_flag: bool = True,
        tlc_kernel: int = 48,
        activation: str = "relu",
        body_norm: bool = False,
        img_range: float = 1.0,
        upsampler: str = "pixelshuffledirect",
    ) -> None:
        super().__init__()
        if dim % idynamic_num_heads or dim % restormer_num_heads:
            raise ValueError(
                f"dim {dim} must be a multiple of idynamic_num_heads {idynamic_num_heads} "
                f"and of restormer_num_heads {restormer_num_heads}"
            )
        if window_size % 2 == 0:
            raise ValueError(f"window_size {window_size} must be odd")
        for kind in (idynamic_ffn_type, restormer_ffn_type):
            if kind not in FFN:
                raise ValueError(f"no feed-forward network {kind!r}; there are {', '.join(FFN)}")

        def local_layer() -> LocalLayer:
            attention = DynamicLocalAttention(dim, window_size, idynamic_num_heads, idynamic)
            ffn = FFN[idynamic_ffn_type](dim, idynamic_ffn_expansion_factor)
            return LocalLayer(dim, attention, ffn)

        def global_layer(activation: str, window: int) -> GlobalLayer:
            attention = SparseGlobalAttention(
                dim, restormer_num_heads, activation, window if tlc_flag else None
            )
            ffn = FFN[restormer_ffn_type](dim, restormer_ffn_expansion_factor)
            return GlobalLayer(dim, attention, ffn)

        def block() -> list[nn.Module]:
            if buildblock_type == "sparseedge":
                return [local_layer(), global_layer(activation, tlc_kernel)]
            if buildblock_type == "edge":
                return [local_layer(), global_layer("softmax", 48)]
            if buildblock_type == "idynamic":
                return [local_layer()]
            if buildblock_type == "restormer":
                return [global_layer("softmax", 48)]
            raise ValueError(f"no buildblock_type {buildblock_type!r}")

        def group() -> ResidualGroup:
            layers = [layer for _ in range(blocks) for layer in block()]
            return ResidualGroup(*layers, nn.Conv2d(dim, dim, 3, padding=1))

        norm = [ChannelNorm(dim)] if body_norm else []
        self.upscale = upscale
        self.img_range = img_range
        mean = torch.tensor(DIV2K_MEAN) if in_chans == 3 else torch.zeros(in_chans)
        self.register_buffer("mean", mean.view(-1, 1, 1), persistent=False)
        self.embed = nn.Conv2d(in_chans, dim, 3, padding=1, bias=False)
        self.deep = nn.Sequential(
            *norm,
            *(group() for _ in range(groups)),
            *([ChannelNorm(dim)] if body_norm else []),
            nn.Conv2d(dim, dim, 3, padding=1),
        )
        self.upsample = _upsampler(upsampler, dim, in_chans, upscale)

    def forward(self, x: Tensor) -> Tensor:
        shallow = self.embed((x - self.mean) * self.img_range)
        shallow = shallow.contiguous(memory_format=torch.channels_last)
        y = self.upsample(self.deep(shallow) + shallow)
        return y / self.img_range + self.mean

    @contextmanager
    def part_of(self, top: int, left: int, height: int, width: int) -> Iterator[None]:
        """Within the block, inputs are parts, at (top, left), of an image (height, width).

        The windows of the global layers then lie where they lie in the whole image, which
        makes evaluation in overlapping tiles agree with evaluation in one piece: far enough
        from a tile's border the results are the same.
        """
        layers = [m for m in self.modules() if isinstance(m, SparseGlobalAttention)]
        for layer in layers:
            layer.crop = (top, left, height, width)
        try:
            yield
        finally:
            for layer in layers:
                layer.crop = None

    def flops(self, height: int, width: int) -> int:
        """Multiply-adds of one (1, in_chans, height, width) evaluation, counted exactly.

        Norms, activations, biases and sums are not counted, as is the custom.
        """
        total = 0
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                total += module.weight.numel() * height * width
            elif isinstance(module, DynamicLocalAttention) and module.dynamic:
                channels = module.project_in.out_channels
                total += module.kernel_size**2 * channels * height * width
            elif isinstance(module, SparseGlobalAttention):
                channels = module.project_out.out_channels
                positions = _attended(height, module.window) * _attended(width, module.window)
                total += 2 * channels**2 // module.heads * positions
        return total + self._flops_above_input_size(height, width)

    def _flops_above_input_size(self, height: int, width: int) -> int:
        """What the loop above leaves out: convolutions after a pixel shuffle."""
        total, area = 0, 1
        for module in self.upsample:
            if isinstance(module, nn.PixelShuffle):
                area *= module.upscale_factor**2
            elif isinstance(module, nn.Conv2d):
                total += module.weight.numel() * height * width * (area - 1)
        return total


def _attended(length: int, window: int | None) -> int:
    """Positions of all windows along an axis; more than its length where they overlap."""
    size = length if window is None else min(length, window)
    return size * len(window_starts(length, size))


def _upsampler(kind: str, dim: int, out_chans: int, upscale: int) -> nn.Sequential:
    if kind == "pixelshuffledirect":
        return nn.Sequential(
            nn.Conv2d(dim, out_chans * upscale**2, 3, padding=1), nn.PixelShuffle(upscale)
        )
    if kind != "pixelshuffle":
        return nn.Sequential(nn.Conv2d(dim, out_chans, 3, padding=1))
    steps = [3] if upscale == 3 else [2] * int(math.log2(upscale))
    if math.prod(steps) != upscale:
        raise ValueError(f"upsampler 'pixelshuffle' takes 3 or a power of two, not {upscale}")
    body = [nn.Conv2d(dim, 64, 3, padding=1), nn.LeakyReLU(0.01, inplace=True)]
    for step in steps:
        body += [nn.Conv2d(64, 64 * step**2, 3, padding=1), nn.PixelShuffle(step)]
    return nn.Sequential(*body, nn.Conv2d(64, out_chans, 3, padding=1))
