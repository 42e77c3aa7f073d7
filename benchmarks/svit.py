"""Time and memory of SViT's backbone against a plain formulation of the same network.

    python benchmarks/svit.py                                  # everything, some minutes
    python benchmarks/svit.py --variants small --cases 224 --runs 9
    python benchmarks/svit.py --device cuda

The plain network keeps its maps channels-first, moves them for every layer norm and back,
gathers and spreads neighbourhoods by convolutions with constant kernels, writes out all
attention scores, and adds every residual by itself, as a direct reading of the paper does.
Both have the same weights and give the same maps, which is checked first. They are timed in
turns in one process; the ratio is of the medians. "Folded" is ours after
:func:`mmsuper.projects.svit.deploy.fold`.
"""

from __future__ import annotations

import argparse

import torch
import torch.nn.functional as F
from measure import floor_seconds, medians, peak_megabytes
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from mmsuper.projects.svit.deploy import fold
from mmsuper.projects.svit.network import (
    Attention,
    ChannelNorm,
    Pointwise,
    ResidualDepthwise,
    SuperTokenAttention,
    SViT,
)

VARIANTS: dict[str, dict] = {
    "small": {},
    "base": {
        "embed_dim": (96, 192, 384, 512),
        "depths": (4, 6, 14, 6),
        "num_heads": (2, 3, 6, 8),
        "layerscale": (False, False, True, True),
    },
    "large": {
        "embed_dim": (96, 192, 448, 640),
        "depths": (4, 7, 19, 8),
        "num_heads": (2, 3, 7, 10),
        "layerscale": (False, False, True, True),
    },
}
# Batch, height, width, cells, and whether there is a backward pass.
CASES: dict[str, tuple[int, int, int, tuple[int, ...], bool]] = {
    "224": (1, 224, 224, (8, 4, 1, 1), False),
    "224x8": (8, 224, 224, (8, 4, 1, 1), False),
    "512": (1, 512, 512, (16, 8, 1, 1), False),
    "800x1216": (1, 800, 1216, (16, 8, 1, 1), False),
    "224x8-train": (8, 224, 224, (8, 4, 1, 1), True),
}


def main() -> None:
    arguments = parse()
    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    title = f"SViT backbone, {arguments.device}, float32, torch {torch.__version__}"
    columns = ("model", "case", "plain s", "ours s", "faster", "folded s", "faster", "floor s")
    table = Table(*columns, "plain MB", "ours MB", "share", title=title)
    console = Console(stderr=True, width=140)
    cases = [(variant, case) for variant in arguments.variants for case in arguments.cases]
    for variant, case in track(cases, "measuring", console=console):
        cells = row(variant, case, arguments)
        console.print(" | ".join(cells))  # a long run that is stopped has not run for nothing
        table.add_row(*cells)
    Console(width=140).print(table)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=["small", "base"])
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--runs", type=int, default=5, help="timed runs of each, after one more")
    parser.add_argument("--threads", type=int, help="by default all cores")
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def row(variant: str, case: str, arguments: argparse.Namespace) -> list[str]:
    """One line of the table."""
    recipes = {kind: (variant, case, kind, arguments.device) for kind in ("plain", "ours")}
    much, little = (peak_megabytes(Subject, recipe, 32) for recipe in recipes.values())
    subjects = [Subject(*recipe) for recipe in recipes.values()]
    if not subjects[0].backward:
        subjects.append(Subject(variant, case, "folded", arguments.device))
    check_equal(subjects)
    slow, fast, *folded = medians([s.run for s in subjects], arguments.runs, arguments.device)
    ours = subjects[1]
    floor = floor_seconds(ours, ours.multiply_adds(), ours.backward)
    seconds = [f"{slow:.3f}", f"{fast:.3f}", f"{slow / fast:.2f}x"]
    deployed = [text for t in folded for text in (f"{t:.3f}", f"{slow / t:.2f}x")] or ["", ""]
    memory = [f"{much:.0f}", f"{little:.0f}", f"{little / much:.2f}"]
    return [variant, case, *seconds, *deployed, f"{floor:.3f}", *memory]


class Subject:
    """A network, an input and what to do with them; made anew in another process."""

    def __init__(self, variant: str, case: str, kind: str, device: str) -> None:
        batch, height, width, cells, self.backward = CASES[case]
        torch.manual_seed(0)
        self.device = device
        network = SViT(**VARIANTS[variant], stoken_size=cells).train(self.backward)
        if kind == "folded":
            network = fold(network)
        self.network = (make_plain(network) if kind == "plain" else network).to(device)
        self.image = torch.rand(batch, 3, height, width, device=device)

    def run(self) -> Tensor:
        if not self.backward:
            with torch.inference_mode():
                return self.network(self.image)[-1]
        self.network.zero_grad(set_to_none=True)
        out = self.network(self.image)[-1]
        out.mean().backward()
        return out.detach()

    def multiply_adds(self) -> int:
        """Of one forward pass, with the attention products."""
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            self.network(self.image)
        return counter.get_total_flops() // 2


def check_equal(subjects: list[Subject]) -> None:
    first, *others = [subject.run() for subject in subjects]
    scale = first.abs().max().item()
    difference = max((first - other).abs().max().item() for other in others) / scale
    if difference > 1e-5:
        raise SystemExit(
            f"the networks differ by {difference:.1e} of the largest value: no comparison"
        )


# ------------------------------------------------------------------- the plain formulation


class ChannelsFirst(nn.Module):
    """Moves a map to where the plain network keeps it."""

    def forward(self, x: Tensor) -> Tensor:
        return x.contiguous()


def make_plain(network: SViT) -> SViT:
    """The same network and weights with every step written out."""
    network.stem.insert(0, ChannelsFirst())
    for module in network.modules():
        for kind, forward in PLAIN.items():
            if isinstance(module, kind):
                module.forward = forward.__get__(module)
    return network


def plain_pointwise(self: Pointwise, x: Tensor) -> Tensor:
    return F.conv2d(x, self.weight[..., None, None], self.bias)


def plain_norm(self: ChannelNorm, x: Tensor) -> Tensor:
    x = x.permute(0, 2, 3, 1).contiguous()
    x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
    return x.permute(0, 3, 1, 2).contiguous()


def plain_depthwise(self: ResidualDepthwise, x: Tensor) -> Tensor:
    return x + F.conv2d(x, self.weight, self.bias, padding=1, groups=x.shape[1])


def plain_attention(self: Attention, x: Tensor) -> Tensor:
    n, channels, height, width = x.shape
    heads = self.num_heads
    q, k, v = self.qkv(x).reshape(n, heads, 3 * channels // heads, height * width).chunk(3, 2)
    weights = (k.transpose(-1, -2) @ q * self.scale).softmax(-2)
    return self.proj((v @ weights).reshape(n, channels, height, width))


def plain_super_tokens(self: SuperTokenAttention, x: Tensor) -> Tensor:
    if self.cell == (1, 1):
        return self.refine(x)
    (n, channels, height, width), (h, w) = x.shape, self.cell
    padded = F.pad(x, (0, -width % w, 0, -height % h))
    rows, columns = padded.shape[2] // h, padded.shape[3] // w
    grid = (rows, columns)
    pixels = padded.reshape(n, channels, rows, h, columns, w).permute(0, 2, 4, 3, 5, 1)
    pixels = pixels.reshape(n, rows * columns, h * w, channels)
    tokens = F.adaptive_avg_pool2d(padded, grid)
    with torch.no_grad():
        around = gather(tokens).reshape(n, channels, 9, -1).permute(0, 3, 1, 2)
        association = (pixels @ around * channels**-0.5).softmax(-1)
        weights = association.sum(2).transpose(1, 2).reshape(n, 9, *grid)
        weights = spread(weights)
    sums = (pixels.transpose(-1, -2) @ association).permute(0, 2, 3, 1)
    tokens = spread(sums.reshape(n * channels, 9, *grid)).reshape(n, channels, *grid)
    tokens = self.refine(tokens / (weights + 1e-12))
    around = gather(tokens).reshape(n, channels, 9, -1).permute(0, 3, 1, 2)
    out = (around @ association.transpose(-1, -2)).reshape(n, rows, columns, channels, h, w)
    out = out.permute(0, 3, 1, 4, 2, 5).reshape(n, channels, rows * h, columns * w)
    return out[:, :, :height, :width]


def gather(tokens: Tensor) -> Tensor:
    """Neighbourhoods by a convolution with a constant kernel, (N, C, I, J) to (N*C, 9, I, J)."""
    return F.conv2d(tokens.reshape(-1, 1, *tokens.shape[2:]), kernel(tokens), padding=1)


def spread(shares: Tensor) -> Tensor:
    """Its adjoint, (N, 9, I, J) to (N, 1, I, J)."""
    return F.conv_transpose2d(shares, kernel(shares), padding=1)


def kernel(like: Tensor) -> Tensor:
    return torch.eye(9, dtype=like.dtype, device=like.device).view(9, 1, 3, 3)


PLAIN = {
    Pointwise: plain_pointwise,
    ChannelNorm: plain_norm,
    ResidualDepthwise: plain_depthwise,
    Attention: plain_attention,
    SuperTokenAttention: plain_super_tokens,
}

if __name__ == "__main__":
    main()
