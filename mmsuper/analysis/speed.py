"""Time and peak memory of a network's forward pass, measured in a process of its own.

On CUDA the peak is the allocator's own counter. On a CPU it is how far the process's
resident memory rises during a pass, above what it was before: a thread reads it every
millisecond, after one pass to warm up and after freed memory was given back to the system.
A process that did other work before would already own memory that the pass could reuse, so
the measurement always starts one.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import multiprocessing
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mmsuper.errors import UserError


@dataclass(frozen=True)
class Speed:
    """What a measurement found.

    Attributes:
        device: Name of the device.
        threads: Threads that PyTorch used on the CPU.
        shape: (N, C, H, W) of pictures, or (N, T, C, H, W) of clips.
        compiled: Whether the network was compiled.
        runs: How many passes were timed.
        median: Seconds of the median pass.
        fastest: Seconds of the fastest pass.
        peak_memory: Bytes above what the process or the device held before a pass.
        memory_source: How the peak was found.
    """

    device: str
    threads: int
    shape: tuple[int, ...]
    compiled: bool
    runs: int
    median: float
    fastest: float
    peak_memory: int
    memory_source: str

    @property
    def images_per_second(self) -> float:
        """Pictures per second at the median time."""
        return self.shape[0] / self.median


def measure(
    config: str,
    options: dict[str, Any],
    shape: tuple[int, ...],
    device: str = "cpu",
    compiled: bool = False,
    seconds: float = 5.0,
) -> Speed:
    """Measure a config's network in a fresh process.

    Args:
        config: Config file.
        options: ``--cfg-options``.
        shape: (N, C, H, W) of pictures, or (N, T, C, H, W) of clips.
        device: A name that ``torch.device`` takes.
        compiled: Whether to run it through ``torch.compile``.
        seconds: How long to time passes; at least three are timed.

    Raises:
        UserError: If the config is wrong, the device is not there, or memory runs out.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (config, options, shape, device, compiled, seconds))


def _measure(
    config: str,
    options: dict[str, Any],
    shape: tuple[int, ...],
    device: str,
    compiled: bool,
    seconds: float,
) -> Speed:
    import torch

    from mmsuper import configuration
    from mmsuper.analysis import network

    _check_device(device)
    model = network.build(configuration.load(config, options)).to(device)
    root, function = network.as_function(model)
    if compiled:
        root.compile()
    inputs = torch.rand(shape, device=device)

    def run() -> None:
        with torch.inference_mode():
            function(inputs)
        _wait(device)

    try:
        run()
        peak, source = _peak_memory(run, device)
        times = _times(run, seconds)
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise UserError(f"{shape} does not fit into the memory of {device}: {error}") from error
    except (NotImplementedError, RuntimeError, ValueError) as error:
        raise network.misfit(shape, model, error) from error
    return Speed(
        device=torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
        threads=torch.get_num_threads(),
        shape=tuple(shape),
        compiled=compiled,
        runs=len(times),
        median=statistics.median(times),
        fastest=min(times),
        peak_memory=peak,
        memory_source=source,
    )


def _check_device(name: str) -> None:
    import torch

    try:
        torch.empty(1, device=name)
    except (AssertionError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"--device {name} cannot be used here: {reason}") from error


def _wait(device: str) -> None:
    import torch

    kind = torch.device(device).type
    if kind != "cpu":
        getattr(torch, kind).synchronize()


def _times(run: Callable[[], None], seconds: float) -> list[float]:
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return times


def _peak_memory(run: Callable[[], None], device: str) -> tuple[int, str]:
    import torch

    if device.startswith("cuda"):
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        run()
        return torch.cuda.max_memory_allocated(device) - before, "CUDA allocator"
    return resident_rise(run), "resident memory of a fresh process"


def resident_rise(run: Callable[[], None]) -> int:
    """How many bytes the resident memory of this process rises while ``run`` runs."""
    import psutil

    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # glibc only
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    process = psutil.Process()
    before = peak = process.memory_info().rss
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.001):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        run()
        peak = max(peak, process.memory_info().rss)
    finally:
        done.set()
        watcher.join()
    return peak - before
