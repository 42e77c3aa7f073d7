"""Time and memory of DLGSANet at x4 against a plain formulation of the same network.

    python benchmarks/dlgsanet.py                     # everything, some minutes
    python benchmarks/dlgsanet.py --variants tiny --sizes 64x64 --runs 9
    python benchmarks/dlgsanet.py --device cuda --compile

The plain network writes the 7x7 neighbourhoods of every pixel and all predicted kernels out
(``unfold``, multiply, sum) and moves channels last and back around every norm, as a direct
reading of the paper does. Both have the same weights and give the same pictures, which is
checked first. They are timed in turns in one process; the ratio is of the medians. Memory is
the growth of the resident size during one pass in a process of its own (on CUDA: the
allocator's peak).

The floor is what the same work would take if every multiply-add ran at the speed of a large
matrix product and every layer's input and output crossed memory once, both measured here.
"""

from __future__ import annotations

import argparse
from concurrent.futures.process import BrokenProcessPool

import torch
import torch.nn.functional as F
from measure import floor_seconds, medians, peak_megabytes
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from mmsuper.projects.dlgsanet.network import ChannelNorm, DLGSANet, DynamicLocalAttention

VARIANTS = {
    "tiny": {"dim": 48, "groups": 3, "blocks": 3},
    "light": {"dim": 48, "groups": 4, "blocks": 3},
    "large": {"dim": 90, "groups": 6, "blocks": 4},
}
PASSES = ("forward", "forward+backward")


def main() -> None:
    arguments = parse()
    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    table = Table(title=f"DLGSANet x4, {describe(arguments)}")
    for column in ("model", "input", "pass", "plain s", "ours s", "faster", "floor s"):
        table.add_column(column, justify="right")
    for column in ("plain MB", "ours MB", "share"):
        table.add_column(column, justify="right")
    cases = [
        (variant, size, what)
        for variant in arguments.variants
        for size in arguments.sizes
        for what in arguments.passes
    ]
    console = Console(stderr=True)
    for case in track(cases, "measuring", console=console):
        cells = row(*case, arguments)
        console.print(" | ".join(cells))  # a long run that is stopped has not run for nothing
        table.add_row(*cells)
    Console(width=140).print(table)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--sizes", nargs="+", type=size, default=[(64, 64), (180, 320)])
    parser.add_argument("--passes", nargs="+", choices=PASSES, default=list(PASSES))
    parser.add_argument("--runs", type=int, default=3, help="timed runs of each, after one more")
    parser.add_argument("--threads", type=int, help="by default all cores")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true", help="compile both networks")
    parser.add_argument(
        "--limit-gb",
        type=float,
        default=16,
        help="leave out a plain pass expected to need more; its memory is then counted, not seen",
    )
    return parser.parse_args()


def size(text: str) -> tuple[int, int]:
    height, width = map(int, text.split("x"))
    return height, width


def describe(arguments: argparse.Namespace) -> str:
    compiled = ", compiled" if arguments.compile else ""
    threads = f"{torch.get_num_threads()} threads, " if arguments.device == "cpu" else ""
    return f"{arguments.device}, {threads}float32{compiled}, torch {torch.__version__}"


def row(
    variant: str, extent: tuple[int, int], what: str, arguments: argparse.Namespace
) -> list[str]:
    """One line of the table."""
    ours = Subject(variant, extent, what, False, arguments)
    plain = Subject(variant, extent, what, True, arguments)
    label = [variant, "x".join(map(str, extent)), what]
    floor = floor_seconds(ours, ours.network.flops(*extent), ours.backward)
    expected = plain.expected_bytes() / 1e6
    try:
        little = peak_megabytes(Subject, ours.recipe)
    except BrokenProcessPool:
        return [*label, "does not fit", "does not fit", "", f"{floor:.2f}", "", "", ""]
    if expected > 1000 * arguments.limit_gb:
        (fast,) = medians([ours.run], arguments.runs, arguments.device)
        seconds = ["does not fit", f"{fast:.2f}", "", f"{floor:.2f}"]
        return [*label, *seconds, f">{expected:.0f}", f"{little:.0f}", f"<{little / expected:.2f}"]
    much = peak_megabytes(Subject, plain.recipe)  # before this process itself has grown
    check_equal(ours, plain)
    slow, fast = medians([plain.run, ours.run], arguments.runs, arguments.device)
    seconds = [f"{slow:.2f}", f"{fast:.2f}", f"{slow / fast:.1f}x", f"{floor:.2f}"]
    return [*label, *seconds, f"{much:.0f}", f"{little:.0f}", f"{little / much:.2f}"]


class Subject:
    """A network, an input and what to do with them; made anew in another process."""

    def __init__(
        self,
        variant: str,
        extent: tuple[int, int],
        what: str,
        plain: bool,
        arguments: argparse.Namespace,
    ) -> None:
        self.recipe = (variant, extent, what, plain, arguments)
        torch.manual_seed(0)
        self.device = arguments.device
        self.backward = what == "forward+backward"
        network = DLGSANet(4, **VARIANTS[variant]).train(self.backward)
        self.network = make_plain(network) if plain else network
        self.network.to(self.device)
        self.call = torch.compile(self.network) if arguments.compile else self.network
        self.image = torch.rand(1, 3, *extent, device=self.device)

    def run(self) -> Tensor:
        if not self.backward:
            with torch.inference_mode():
                return self.call(self.image)
        self.network.zero_grad(set_to_none=True)
        out = self.call(self.image)
        out.mean().backward()
        return out.detach()

    def expected_bytes(self) -> int:
        """Neighbourhoods and kernels of all layers that are alive at once, in the plain form."""
        layers = [m for m in self.network.modules() if isinstance(m, DynamicLocalAttention)]
        height, width = self.image.shape[-2:]
        layer = layers[0]
        kernels, columns = layer.kernel.out_channels, 49 * layer.project_in.out_channels
        alive = (columns + kernels) * (len(layers) if self.backward else 1)
        return 4 * height * width * (alive + columns)


def make_plain(network: DLGSANet) -> DLGSANet:
    """The same network and weights with every step written out."""
    for module in network.modules():
        if isinstance(module, DynamicLocalAttention):
            module.filter = plain_filter.__get__(module)
        elif isinstance(module, ChannelNorm):
            module.forward = plain_norm.__get__(module)
    return network


def plain_filter(self: DynamicLocalAttention, x: Tensor) -> Tensor:
    n, channels, height, width = x.shape
    kernels = self.kernel(self.hyper(x))
    taps = self.kernel_size**2
    groups = kernels.shape[1] // taps
    columns = F.unfold(x, self.kernel_size, padding=self.kernel_size // 2)
    columns = columns.view(n, groups, channels // groups, taps, height, width)
    return (columns * kernels.view(n, groups, 1, taps, height, width)).sum(3).view_as(x)


def plain_norm(self: ChannelNorm, x: Tensor) -> Tensor:
    n, channels, height, width = x.shape
    x = x.flatten(2).transpose(1, 2).contiguous()
    mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, correction=0)
    x = (x - mean) / torch.sqrt(variance + self.eps) * self.weight + self.bias
    return x.transpose(1, 2).reshape(n, channels, height, width).contiguous()


def check_equal(ours: Subject, plain: Subject) -> None:
    difference = (ours.run() - plain.run()).abs().max().item()
    if difference > 1e-4:
        raise SystemExit(f"the two networks differ by {difference:.1e}: no comparison")


if __name__ == "__main__":
    main()
