"""``train --dry-run``: would this config run, how fast, in how much memory?"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

import torch
from mmengine.hooks import Hook

from mmsuper.engine import build_runner
from mmsuper.engine.runners import bare

if TYPE_CHECKING:
    from mmengine.config import Config

# The first iteration also allocates, compiles and warms caches up.
ITERATIONS = 2


class Watch(Hook):
    """Time and loss of the last iteration."""

    priority = "HIGHEST"

    def __init__(self) -> None:
        self.mark = time.perf_counter()
        self.loading = self.step = 0.0
        self.loss: float | None = None

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """The batch is there."""
        now = _now()
        self.loading, self.mark = now - self.mark, now

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """The parameters are updated."""
        now = _now()
        self.step, self.mark = now - self.mark, now
        loss = (outputs or {}).get("loss")
        self.loss = None if loss is None else float(loss.detach())


def dry_run(config: Config) -> list[tuple[str, str]]:
    """Build all that a training needs and train on a batch, in a temporary work dir.

    Args:
        config: The config; it is changed.

    Returns:
        Pairs of a name and a value to print.
    """
    _shorten(config)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    watch = Watch()
    with tempfile.TemporaryDirectory() as folder:
        config.work_dir = folder
        runner = build_runner(config)
        runner.register_hook(watch)
        runner.train()
    counts = [(p.numel(), p.requires_grad) for p in bare(runner.model).parameters()]
    return [
        ("parameters", f"{sum(n for n, _ in counts):,}"),
        ("trainable", f"{sum(n for n, trainable in counts if trainable):,}"),
        ("batch size", f"{runner.train_dataloader.batch_size} in each process"),
        ("loss", "none" if watch.loss is None else f"{watch.loss:.4f}"),
        ("time per iteration", f"{watch.step:.3f} s, and {watch.loading:.3f} s to load"),
        ("peak memory", _peak_memory()),
    ]


def _shorten(config: Config) -> None:
    by_epoch = config.train_cfg.get("by_epoch") or config.train_cfg.get("type") == (
        "EpochBasedTrainLoop"
    )
    if by_epoch or config.train_cfg.get("type") == "IterBasedTrainLoop":
        config.train_cfg = {"type": "IterBasedTrainLoop"}
    never = 10**9
    config.train_cfg.update(max_iters=ITERATIONS, val_interval=never, val_begin=never)
    config.default_hooks = {**config.get("default_hooks", {}), "checkpoint": None}
    config.visualizer = {"type": "Visualizer", "vis_backends": []}
    config.log_level = "ERROR"
    config.resume = False


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def _peak_memory() -> str:
    if torch.cuda.is_available():
        return f"{torch.cuda.max_memory_allocated() / 2**30:.2f} GiB on the GPU"
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return f"{peak / 2**30:.2f} GiB, the whole process"
