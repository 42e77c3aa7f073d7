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
import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn

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
    floor = floor_seconds(ours, what)
    expected = plain.expected_bytes() / 1e6
    if expected > 1000 * arguments.limit_gb:
        (fast,) = medians([ours.run], arguments.runs, arguments.device)
        little = peak_megabytes(ours)
        seconds = ["does not fit", f"{fast:.2f}", "", f"{floor:.2f}"]
        return [*label, *seconds, f">{expected:.0f}", f"{little:.0f}", f"<{little / expected:.2f}"]
    check_equal(ours, plain)
    slow, fast = medians([plain.run, ours.run], arguments.runs, arguments.device)
    much, little = peak_megabytes(plain), peak_megabytes(ours)
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


def medians(calls: list[Callable[[], object]], runs: int, device: str) -> list[float]:
    """Median seconds of each call, made in turns after one that does not count."""
    seconds: list[list[float]] = [[] for _ in calls]
    for i in range(runs + 1):
        for call, times in zip(calls, seconds, strict=True):
            start = time.perf_counter()
            call()
            if device != "cpu":
                torch.cuda.synchronize()
            if i:
                times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in seconds]


def peak_megabytes(subject: Subject) -> float:
    """What one pass adds to the memory of a fresh process."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_peak, (subject.recipe, torch.get_num_threads()))


def _peak(recipe: tuple, threads: int) -> float:
    torch.set_num_threads(threads)
    subject = Subject(*recipe)
    if subject.device != "cpu":
        subject.run()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        subject.run()
        return (torch.cuda.max_memory_allocated() - before) / 1e6
    # A small pass first, so that libraries and thread pools are there.
    image, subject.image = subject.image, subject.image[..., :8, :8].contiguous()
    subject.run()
    subject.image = image
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew, at what is resident
    before = _resident_peak()
    subject.run()
    return (_resident_peak() - before) / 1e6


def _resident_peak() -> int:
    """Largest resident size of this process in bytes (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def floor_seconds(subject: Subject, what: str) -> float:
    """Operations at the speed of a matrix product, plus bytes at that of a copy."""
    height, width = subject.image.shape[-2:]
    moved = 0

    def count(module: nn.Module, inputs: tuple, out: Tensor) -> None:
        nonlocal moved
        moved += 4 * (inputs[0].numel() + out.numel())

    leaves = [m for m in subject.network.modules() if not list(m.children())]
    hooks = [leaf.register_forward_hook(count) for leaf in leaves]
    with torch.inference_mode():
        subject.network(subject.image)
    for hook in hooks:
        hook.remove()
    # The backward pass computes two products for each one, and moves as much again twice.
    passes = 3 if what == "forward+backward" else 1
    a, b = torch.rand(2, 1024, 1024, device=subject.device)
    source = torch.rand(2**25, device=subject.device)
    target = torch.empty_like(source)
    product, copy = medians(
        [lambda: torch.mm(a, b), lambda: target.copy_(source)], 5, subject.device
    )
    operations = subject.network.flops(height, width) * product / 1024**3
    return passes * (operations + moved * copy / (8 * source.numel()))


if __name__ == "__main__":
    main()
