"""What the benchmarks share: time in turns, peak memory in a fresh process, the floor."""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn


class Subject(Protocol):
    """What is measured: made from a recipe, here or in another process."""

    device: str
    network: nn.Module
    image: Tensor

    def run(self) -> object:
        """One pass."""


def medians(
    calls: list[Callable[[], object]], runs: int, device: str, warm: bool = False
) -> list[float]:
    """Median seconds of each call, made in turns.

    Args:
        calls: What to time.
        runs: Of each that count.
        device: Where they run.
        warm: All have run before; otherwise each does once more, which does not count.
    """
    clock = clock_of(device)
    seconds: list[list[float]] = [[] for _ in calls]
    for i in range(runs + (not warm)):
        for call, times in zip(calls, seconds, strict=True):
            start = clock()
            call()
            if device != "cpu":
                torch.cuda.synchronize()
            if warm or i:
                times.append(clock() - start)
    return [statistics.median(times) for times in seconds]


def clock_of(device: str) -> Callable[[], float]:
    """What tells the time.

    Of one thread on a CPU it is the processor's time that counts, which hardly depends on
    what else the machine does; otherwise the time that passes.
    """
    alone = device == "cpu" and torch.get_num_threads() == 1
    return time.process_time if alone else time.perf_counter


def peak_megabytes(make: Callable[..., Subject], recipe: tuple, small: int = 8) -> float:
    """What one pass adds to the memory of a fresh process.

    To be called before this process itself has grown.

    Args:
        make: Makes the subject from the recipe.
        recipe: Arguments, which travel to the other process.
        small: Side of the picture of the first pass, which is not measured and brings
            libraries and thread pools into memory.

    Raises:
        BrokenProcessPool: If the process was ended, as it is where memory runs out.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_peak, make, recipe, small, torch.get_num_threads()).result()


def _peak(make: Callable[..., Subject], recipe: tuple, small: int, threads: int) -> float:
    torch.set_num_threads(threads)
    subject = make(*recipe)
    if subject.device != "cpu":
        subject.run()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        subject.run()
        return (torch.cuda.max_memory_allocated() - before) / 1e6
    image, subject.image = subject.image, subject.image[..., :small, :small].contiguous()
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


def floor_seconds(subject: Subject, multiply_adds: int, backward: bool) -> float:
    """Operations at the speed of a matrix product, plus bytes at that of a copy.

    Args:
        subject: Whose layers' inputs and outputs are to cross memory once.
        multiply_adds: Of one forward pass.
        backward: Whether there is a backward pass, which computes two products for each one
            and moves twice as much again.
    """
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
    a, b = torch.rand(2, 1024, 1024, device=subject.device)
    source = torch.rand(2**25, device=subject.device)
    target = torch.empty_like(source)
    product, copy = medians(
        [lambda: torch.mm(a, b), lambda: target.copy_(source)], 5, subject.device
    )
    operations = multiply_adds * product / 1024**3
    return (3 if backward else 1) * (operations + moved * copy / (8 * source.numel()))
