"""TTVSR, video super-resolution that looks back along the paths of what moves.

Chengxu Liu, Huan Yang, Jianlong Fu, Xueming Qian: "Learning Trajectory-Aware Transformer for
Video Super-Resolution", CVPR 2022, arXiv 2204.04216.

The idea, in the order of this file:

1. *Motion*. SPyNet estimates optical flow between neighbouring frames; feature maps are
   warped along it.
2. *Tokens and their trajectories*. A token is a block of 4x4 pixels. For every token of the
   current frame and every earlier key frame (each third one), one integer says which token
   of the key frame lies on the same trajectory: a *location map*. When the next frame
   comes, all maps are read where flow points to, and no attention over space is computed.
3. *Trajectory-aware attention*. Each token compares its features with those of one token of
   each key frame, the one on its trajectory; takes the most similar, by hard attention; and
   reads what the network had made of it there, at three scales.
4. The network goes through the clip backward and then forward, with the same weights, and
   makes each frame from both states.

Written from the paper and the behaviour of the authors' release. The results are the same,
the ways to them are not: location maps are integers and not pairs of coordinates; a key
frame keeps its features and its state, of which only what wins is read, and no stacks; flow
is computed a few frames at a time; maps lie channels-last in memory; coordinates are float32
in mixed precision. A clip that is followed by itself in reverse is no case of its own: its
flows are equal by symmetry, and the authors' shortcut only saves computing them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mmsuper.registry import MODELS

# Frames whose flow or features are computed at once.
CHUNK = 8


def _precise(dtype: torch.dtype) -> torch.dtype:
    """What coordinates and long sums are kept in: float32 where maps are narrower."""
    return torch.promote_types(dtype, torch.float32)


# ------------------------------------------------------------------------------------------
# 1. Motion
#
# Legend of the file: N samples, T frames, C channels, H W size of a frame.


def warp(x: Tensor, flow: Tensor) -> Tensor:
    """Bring a map to another frame: the value at p is that of ``x`` at p + flow(p).

    Args:
        x: (N, C, H, W).
        flow: Displacement in pixels, right and down, (N, 2, H, W).

    Returns:
        (N, C, H, W), bilinear between pixels; outside the frame, the nearest pixel's value.
    """
    height, width = flow.shape[-2:]
    dtype = _precise(x.dtype)
    right, down = flow.to(dtype).unbind(1)
    column = right + torch.arange(width, dtype=dtype, device=x.device)
    row = down + torch.arange(height, dtype=dtype, device=x.device)[:, None]
    # grid_sample wants -1 at the first pixel's centre and 1 at the last's.
    place = torch.stack(
        [2 * column / max(width - 1, 1) - 1, 2 * row / max(height - 1, 1) - 1], dim=-1
    )
    out = F.grid_sample(x.to(dtype), place, padding_mode="border", align_corners=True)
    return out.to(x.dtype, memory_format=torch.channels_last)


@MODELS.register_module()
class SPyNet(nn.Module):
    """Optical flow by a pyramid: each level corrects what the coarser one found.

    Anurag Ranjan, Michael Black: "Optical Flow Estimation using a Spatial Pyramid Network",
    CVPR 2017; in the form that OpenMMLab's video networks use.
    """

    LEVELS = 6

    def __init__(self) -> None:
        super().__init__()
        self.levels = nn.ModuleList(_flow_level() for _ in range(self.LEVELS))
        mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
        self.register_buffer("mean", mean.view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", std.view(1, 3, 1, 1), persistent=False)

    def forward(self, reference: Tensor, support: Tensor) -> Tensor:
        """Where in ``support`` each pixel of ``reference`` is.

        Args:
            reference: RGB frames in [0, 1], (N, 3, H, W).
            support: Frames of the same size.

        Returns:
            Displacement in pixels, right and down, (N, 2, H, W), at least in float32.
        """
        n, _, height, width = reference.shape
        coarsest = 2 ** (self.LEVELS - 1)
        size = [-(-side // coarsest) * coarsest for side in (height, width)]
        flow = reference.new_zeros(
            (n, 2, size[0] // coarsest, size[1] // coarsest), dtype=_precise(reference.dtype)
        )
        pyramids = zip(self._pyramid(reference, size), self._pyramid(support, size), strict=True)
        for level, (seen, other) in zip(self.levels, pyramids, strict=True):
            if seen.shape[-2:] != flow.shape[-2:]:
                flow = 2 * _resize(flow, seen.shape[-2:], align_corners=True)
            known = torch.cat([seen, warp(other, flow), flow.to(seen.dtype)], dim=1)
            flow = flow + level(known.contiguous(memory_format=torch.channels_last))
        shrink = flow.new_tensor([width / size[1], height / size[0]])
        return _resize(flow, (height, width)) * shrink[:, None, None]

    def _pyramid(self, frames: Tensor, size: list[int]) -> list[Tensor]:
        """Frames at all levels, coarsest first."""
        levels = [(_resize(frames, size) - self.mean) / self.std]
        for _ in range(self.LEVELS - 1):
            levels.append(F.avg_pool2d(levels[-1], 2))
        return levels[::-1]


def _flow_level() -> nn.Sequential:
    channels = (8, 32, 64, 32, 16, 2)
    layers: list[nn.Module] = []
    for before, after in pairwise(channels):
        layers += [nn.Conv2d(before, after, 7, padding=3), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers[:-1])


def _resize(x: Tensor, size: list[int] | tuple[int, int], align_corners: bool = False) -> Tensor:
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=align_corners)


# ------------------------------------------------------------------------------------------
# 2. Tokens and their trajectories
#
# Legend: s side of a token in pixels, h w = H // s, W // s size of the grid of tokens,
# R = N*h*w tokens of a batch, numbered by samples, rows, columns; K key frames remembered.
# Rows and columns of pixels beyond the last whole token belong to none.


class TokenGrid:
    """The tokens of a batch of frames.

    Args:
        n: Samples N.
        height: H, at least ``stride``.
        width: W, at least ``stride``.
        stride: Side s of a token, a multiple of 4.
        device: Of the maps.
    """

    def __init__(self, n: int, height: int, width: int, stride: int, device: torch.device) -> None:
        self.n, self.height, self.width, self.stride = n, height, width, stride
        self.rows, self.columns = height // stride, width // stride
        self.device = device

    def identity(self) -> Tensor:
        """The location map of a frame in itself: every token's own number, (R,)."""
        return torch.arange(self.n * self.rows * self.columns, device=self.device)

    @torch.no_grad()
    def origins(self, flow: Tensor) -> Tensor:
        """The token of the previous frame that each token comes from, (R,).

        Args:
            flow: From the current frame to the previous one, (N, 2, H, W).
        """
        shift = F.adaptive_avg_pool2d(flow, (self.rows, self.columns)) / self.stride
        # What overflowed in half precision must not become the number of no token.
        right, down = shift.nan_to_num().unbind(1)
        row = torch.arange(self.rows, device=self.device)[:, None] + down
        column = torch.arange(self.columns, device=self.device) + right
        row = row.clamp(0, self.rows - 1).round().long()
        column = column.clamp(0, self.columns - 1).round().long()
        sample = torch.arange(self.n, device=self.device)[:, None, None]
        return ((sample * self.rows + row) * self.columns + column).flatten()

    def split(self, x: Tensor) -> Tensor:
        """Tokens of a map: (N, C, H, W) to (R, s*s*C)."""
        s, channels = self.stride, x.shape[1]
        x = x[:, :, : self.rows * s, : self.columns * s].permute(0, 2, 3, 1)
        x = x.reshape(self.n, self.rows, s, self.columns, s, channels).transpose(2, 3)
        return x.reshape(-1, s * s * channels)

    def join(self, tokens: Tensor) -> Tensor:
        """The inverse of :meth:`split`, (R, s*s*C) to (N, C, H, W); zero where no token is."""
        s = self.stride
        x = tokens.view(self.n, self.rows, self.columns, s, s, -1).transpose(2, 3)
        x = x.reshape(self.n, self.rows * s, self.columns * s, -1).permute(0, 3, 1, 2)
        return F.pad(x, (0, self.width - self.columns * s, 0, self.height - self.rows * s))

    def read(self, x: Tensor, numbers: Tensor) -> Tensor:
        """Some tokens of a map at three scales.

        Each reads the 2s x 2s pixels around it: the s x s in the middle as they are, and
        the middle 1.5s x 1.5s and all 2s x 2s shrunk to s x s. Outside the map is zero.

        Args:
            x: (N, C, H, W), on this or another device.
            numbers: Of the tokens, (r,).

        Returns:
            (r, s*s*3C), by pixels and then scales and then channels, on this device.
        """
        s, channels = self.stride, x.shape[1]
        row, column = numbers // self.columns % self.rows, numbers % self.columns
        by_rows = shrinking(self.height, s).to(self.device, x.dtype)[row]  # (r, 3, s, 2s)
        by_columns = shrinking(self.width, s).to(self.device, x.dtype)[column]
        pixels = self._around(numbers, row, column).flatten().to(x.device)
        around = x.permute(0, 2, 3, 1).reshape(-1, channels)
        around = around.index_select(0, pixels).to(self.device)
        # (r, 3*s, 2s) @ (r, 2s, 2s*C), then for each of 3 scales and s rows (s, 2s) @ (2s, C).
        out = by_rows.flatten(1, 2) @ around.view(-1, 2 * s, 2 * s * channels)
        out = by_columns[:, :, None] @ out.view(-1, 3, s, 2 * s, channels)
        return out.permute(0, 2, 3, 1, 4).reshape(-1, s * s * 3 * channels)

    def _around(self, numbers: Tensor, row: Tensor, column: Tensor) -> Tensor:
        """Numbers of the pixels around tokens, (r, 2s, 2s).

        What lies outside the map stands for its nearest pixel; it counts zero times.
        """
        sample = numbers // (self.rows * self.columns)
        step = torch.arange(2 * self.stride, device=self.device) - self.stride // 2
        y = (row[:, None] * self.stride + step).clamp(0, self.height - 1)
        x = (column[:, None] * self.stride + step).clamp(0, self.width - 1)
        return ((sample[:, None] * self.height + y) * self.width)[:, :, None] + x[:, None]


@cache
def shrinking(length: int, stride: int) -> Tensor:
    """How tokens of three scales are made from pixels, along one axis of a map.

    A scale cuts windows of s, 1.5s or 2s pixels around the tokens, lays them side by side,
    and pools the mosaic to the length of the map. Where 1.5 times the length is no integer,
    it is rounded down, so that windows of the pooling drift over the mosaic; so have it the
    authors, and the trained weights.

    Args:
        length: Of the axis in pixels.
        stride: Side s of a token.

    Returns:
        (tokens of the axis, 3, s, 2s): for every token and scale, the matrix that makes s
        pixels of the 2s around the token.
    """
    count = length // stride
    scales = []
    for window in (stride, stride * 3 // 2, stride * 2):
        margin = (window - stride) // 2
        pixels = F.pad(torch.eye(length), (margin, margin))
        mosaic = pixels.unfold(1, window, stride).flatten(1)
        mosaic = F.pad(mosaic, (0, length * window // stride - mosaic.shape[1]))
        pooled = F.adaptive_avg_pool1d(mosaic, length).T  # (pixels made, pixels read)
        pooled = F.pad(pooled, (stride // 2, stride // 2))
        blocks = [
            pooled[i : i + stride, i : i + 2 * stride] for i in range(0, count * stride, stride)
        ]
        scales.append(torch.stack(blocks))
    return torch.stack(scales, dim=1)


# ------------------------------------------------------------------------------------------
# 3. Trajectory-aware attention

# Tokens compared at once. On a CPU they stay in the cache; an accelerator wants few launches.
TOKENS_CPU = 128
TOKENS_ACCELERATOR = 2**16


@dataclass
class KeyFrame:
    """What is remembered of a key frame.

    Attributes:
        grid: Its tokens.
        keys: Features of its tokens, each of length 1, (R, s*s*C).
        state: What the network had made of it, (N, C, H, W).
    """

    grid: TokenGrid
    keys: Tensor
    state: Tensor

    def similarity(self, queries: Tensor, numbers: Tensor) -> Tensor:
        """Cosine of each query (R, s*s*C) and the token of that number (R,), (R,)."""
        keys = self.keys
        size = TOKENS_CPU if queries.device.type == "cpu" else TOKENS_ACCELERATOR
        pairs = zip(queries.split(size), numbers.split(size), strict=True)
        return torch.cat([torch.linalg.vecdot(q, keys.index_select(0, i)) for q, i in pairs])

    def tokens(self, numbers: Tensor) -> Tensor:
        """Some tokens' features, (r,) to (r, s*s*C)."""
        return self.keys.index_select(0, numbers)

    def values(self, numbers: Tensor) -> Tensor:
        """Some tokens of the state at three scales, (r,) to (r, s*s*3C)."""
        return self.grid.read(self.state, numbers)


@dataclass
class Memory:
    """What the network remembers on its way through a clip, in one direction.

    Attributes:
        grid: Tokens of a frame.
        limit: Number of key frames remembered, the last ones; None for all.
        state: Of the frame before, (N, C, H, W).
        bank: Key frames in the order of their coming.
        locations: The location map of each of them, (K, R): where its content was that is
            now in the tokens of the current frame.
    """

    grid: TokenGrid
    limit: int | None = None
    state: Tensor | None = None
    bank: list[KeyFrame] = field(default_factory=list)
    locations: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.locations = self.grid.identity()[None][:0]

    def move(self, flow: Tensor) -> Tensor:
        """Go to the next frame, along flow from it to the frame before, (N, 2, H, W).

        Returns:
            The state, warped.
        """
        self.locations = self.locations[:, self.grid.origins(flow)]
        return warp(self.state, flow)

    def remember(self, key_frame: KeyFrame) -> None:
        """Add the current frame to the bank; beyond the limit the oldest goes."""
        self.bank = [*self.bank, key_frame][-self.limit if self.limit else 0 :]
        maps = torch.cat([self.locations, self.grid.identity()[None]])
        self.locations = maps[-len(self.bank) :]


class TrajectoryAttention(nn.Module):
    """Hard attention along trajectories (paper section 3.3)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fusion = nn.Conv2d(3 * channels, channels, 3, padding=1)

    def forward(self, queries: Tensor, carried: Tensor, memory: Memory) -> Tensor:
        """Add to the state what the most similar key frame knew of each token.

        Args:
            queries: Features of the current frame's tokens, each of length 1, (R, s*s*C).
            carried: The state, warped to the current frame, (N, C, H, W).
            memory: With at least one key frame, its location maps of the current frame.

        Returns:
            (N, C, H, W).
        """
        similarity, winner, numbers = search(queries, memory)
        values = read(KeyFrame.values, memory, winner, numbers)
        if torch.is_grad_enabled():  # the search has no gradient
            keys = read(KeyFrame.tokens, memory, winner, numbers)
            similarity = torch.linalg.vecdot(queries, keys)
        fused = self.fusion(memory.grid.join(values))
        weight = similarity[:, None].expand(-1, memory.grid.stride**2)
        return carried + fused * memory.grid.join(weight).to(fused.dtype)


@torch.no_grad()
def search(queries: Tensor, memory: Memory) -> tuple[Tensor, Tensor, Tensor]:
    """The key frame whose token on the trajectory is most similar; of equals, the first.

    Args:
        queries: See :class:`TrajectoryAttention`.
        memory: See :class:`TrajectoryAttention`.

    Returns:
        For each token, the similarity (R,), the place of the key frame in the bank (R,), and
        the number of the token in it (R,).
    """
    best = queries.new_full((len(queries),), -torch.inf)
    winner = torch.zeros_like(best, dtype=torch.long)
    for k, (key_frame, numbers) in enumerate(zip(memory.bank, memory.locations, strict=True)):
        similarity = key_frame.similarity(queries, numbers)
        winner = winner.where(similarity <= best, k)
        best = best.maximum(similarity)
    return best, winner, memory.locations.gather(0, winner[None])[0]


def read(
    what: Callable[[KeyFrame, Tensor], Tensor], memory: Memory, winner: Tensor, numbers: Tensor
) -> Tensor:
    """Read the tokens that a search found, key frame by key frame.

    Args:
        what: Of a key frame, for numbers of its tokens (r,), one row for each.
        memory: See :func:`search`.
        winner: See :func:`search`.
        numbers: See :func:`search`.

    Returns:
        A row for each token of the current frame.
    """
    order = winner.argsort()
    counts = winner.bincount(minlength=len(memory.bank)).tolist()
    groups = zip(memory.bank, numbers[order].split(counts), strict=True)
    rows = torch.cat([what(key_frame, group) for key_frame, group in groups if len(group)])
    return rows[order.argsort()]


# ------------------------------------------------------------------------------------------
# 4. The network


class ResidualBlock(nn.Module):
    """Two convolutions, added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H, W)."""
        return x + self.conv2(F.relu(self.conv1(x), inplace=True))


def _trunk(in_channels: int, channels: int, blocks: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, channels, 3, padding=1),
        nn.LeakyReLU(0.1, inplace=True),
        *(ResidualBlock(channels) for _ in range(blocks)),
    )


def _enlarger(channels: int) -> nn.Sequential:
    """From features and the states of both directions to a picture of four times the size."""

    def double() -> list[nn.Module]:
        conv = nn.Conv2d(channels, 4 * channels, 3, padding=1)
        return [conv, nn.PixelShuffle(2), nn.LeakyReLU(0.1, inplace=True)]

    return nn.Sequential(
        nn.Conv2d(3 * channels, channels, 1),
        nn.LeakyReLU(0.1, inplace=True),
        *double(),
        *double(),
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.LeakyReLU(0.1, inplace=True),
        nn.Conv2d(channels, 3, 3, padding=1),
    )


@MODELS.register_module()
class TTVSR(nn.Module):
    """The network. Defaults are the paper's.

    A clip that fits into memory goes through :meth:`forward`. For any other,
    :mod:`mmsuper.projects.ttvsr.streaming` calls :meth:`extract`, :meth:`step` and
    :meth:`reconstruct` frame by frame.

    Args:
        mid_channels: Channels C.
        num_blocks: Residual blocks that a frame passes in either direction.
        stride: Side s of a token in pixels, a multiple of 4.
        frame_stride: Every so many frames is a key frame.
        smallest: Frames with smaller sides are continued by their borders, because flow needs
            some room.
        with_cp: Keep less in training: what the residual blocks make is computed again in
            the backward pass.
        flow_init_cfg: ``dict(type='Pretrained', checkpoint=PATH)``, the weights of the flow
            network to begin with: OpenMMLab's file of SPyNet.

    Shape:
        lrs: (N, T, 3, H, W), RGB in [0, 1], any T, H and W from 1 on
        -> (N, T, 3, 4H, 4W), not clamped.
    """

    def __init__(
        self,
        mid_channels: int = 64,
        num_blocks: int = 60,
        stride: int = 4,
        frame_stride: int = 3,
        smallest: int = 64,
        with_cp: bool = False,
        flow_init_cfg: dict | None = None,
    ) -> None:
        super().__init__()
        if stride < 4 or stride % 4:
            raise ValueError(f"stride must be a multiple of 4, not {stride}")
        self.stride, self.frame_stride = stride, frame_stride
        self.smallest = smallest
        self.with_cp = with_cp
        self.flow_init_cfg = flow_init_cfg
        self.spynet = SPyNet()
        self.features = _trunk(3, mid_channels, 5)
        self.attention = TrajectoryAttention(mid_channels)
        self.trunk = _trunk(2 * mid_channels, mid_channels, num_blocks)
        self.enlarge = _enlarger(mid_channels)
        self._begin()

    def forward(self, lrs: Tensor) -> Tensor:
        """Enlarge a whole clip; see the class."""
        height, width = lrs.shape[-2:]
        frames = self.prepare(lrs.transpose(0, 1))
        last = len(frames) - 1
        features = self.extract(frames)
        to_next, to_previous = self.flows(frames)

        memory = self.start(frames[0])
        later: list[Tensor] = []
        for i in range(last, -1, -1):
            flow = to_next[i] if i < last else None
            key = i > 0 and (last - i) % self.frame_stride == 0
            later.append(self.step(memory, features[i], flow, key))

        memory = self.start(frames[0])
        enlarged = []
        for i in range(last + 1):
            flow = to_previous[i - 1] if i > 0 else None
            state = self.step(memory, features[i], flow, i % self.frame_stride == 0)
            enlarged.append(self.reconstruct(frames[i], later.pop(), features[i], state))
        return torch.stack(enlarged, dim=1)[..., : 4 * height, : 4 * width]

    def start(self, frame: Tensor, limit: int | None = None) -> Memory:
        """An empty memory, to go through frames like this one, (N, 3, H, W).

        Args:
            frame: As from :meth:`prepare`.
            limit: Remember only so many key frames, the last ones.
        """
        n, _, height, width = frame.shape
        return Memory(TokenGrid(n, height, width, self.stride, frame.device), limit)

    def prepare(self, frames: Tensor) -> Tensor:
        """Frames (T, N, 3, H, W), continued by their borders to the smallest size possible."""
        height, width = (max(self.smallest - side, 0) for side in frames.shape[-2:])
        if not height and not width:
            return frames
        continued = F.pad(frames.flatten(0, 1), (0, width, 0, height), mode="replicate")
        return continued.unflatten(0, frames.shape[:2])

    def extract(self, frames: Tensor) -> list[Tensor]:
        """Features of frames (T, N, 3, H, W): T maps (N, C, H, W)."""
        return _by_chunks(self.features, frames)

    def flows(self, frames: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Optical flow from each frame but the last to the next, and from that one back."""
        one, other = frames[:-1], frames[1:]
        return _by_chunks(self.spynet, one, other), _by_chunks(self.spynet, other, one)

    def step(self, memory: Memory, feature: Tensor, flow: Tensor | None, key: bool) -> Tensor:
        """Go on by one frame.

        Args:
            memory: Of the frames before; changed to that of the frames up to this one.
            feature: Of this frame, (N, C, H, W).
            flow: From this frame to the one before, (N, 2, H, W); None at the first.
            key: Whether this is a key frame. The first one is, unless it is the last too.

        Returns:
            The state of this frame, (N, C, H, W).
        """
        tokens = memory.grid.split(feature)
        tokens = F.normalize(tokens.to(_precise(tokens.dtype)), dim=1)
        if flow is None:
            carried = torch.zeros_like(feature)
        else:
            carried = self.attention(tokens, memory.move(flow), memory)
        memory.state = self._run_trunk(torch.cat([feature, carried], dim=1))
        if key:
            memory.remember(KeyFrame(memory.grid, tokens, memory.state))
        return memory.state

    def reconstruct(
        self, frame: Tensor, backward: Tensor, feature: Tensor, forward: Tensor
    ) -> Tensor:
        """The enlarged frame (N, 3, 4H, 4W) from itself, its features and both states."""
        height, width = frame.shape[-2:]
        residue = self.enlarge(torch.cat([backward, feature, forward], dim=1))
        return residue + _resize(frame, (4 * height, 4 * width))

    def init_weights(self) -> None:
        """Load the checkpoint of ``flow_init_cfg``; MMEngine calls this before training.

        Raises:
            UserError: If it cannot be read or is of another network.
        """
        from mmsuper.checkpoint import load_pretrained

        if self.flow_init_cfg is not None:
            load_pretrained(self.spynet, self.flow_init_cfg)

    def _run_trunk(self, x: Tensor) -> Tensor:
        if self.with_cp and torch.is_grad_enabled():
            return checkpoint(self.trunk, x, use_reentrant=False)
        return self.trunk(x)

    @torch.no_grad()
    def _begin(self) -> None:
        """Residual branches begin small; layers before a shuffle have twice the inputs."""
        for module in self.modules():
            if isinstance(module, ResidualBlock):
                for conv in (module.conv1, module.conv2):
                    nn.init.kaiming_normal_(conv.weight).mul_(0.1)
                    nn.init.zeros_(conv.bias)
        for conv, following in pairwise(self.enlarge):
            if isinstance(following, nn.PixelShuffle):
                nn.init.kaiming_normal_(conv.weight)
                nn.init.zeros_(conv.bias)


def _by_chunks(module: Callable[..., Tensor], *clips: Tensor) -> list[Tensor]:
    """A module's output for each frame of clips (T, N, ...), some frames at a time."""
    n = clips[0].shape[1]
    found: list[Tensor] = []
    for chunks in zip(*(clip.split(CHUNK) for clip in clips), strict=True):
        if len(chunks[0]):
            inputs = (
                chunk.flatten(0, 1).contiguous(memory_format=torch.channels_last)
                for chunk in chunks
            )
            found += module(*inputs).unflatten(0, (-1, n))
    return found
