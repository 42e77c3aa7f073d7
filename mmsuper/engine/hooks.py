"""Hooks of the driver; :func:`add` puts those that every run gets into a config."""

from __future__ import annotations

import copy
import json
import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from mmengine.dist import all_reduce, all_reduce_dict, get_world_size, is_main_process
from mmengine.hooks import EMAHook, Hook
from mmengine.logging import HistoryBuffer

from mmsuper.files import write_json
from mmsuper.registry import HOOKS

if TYPE_CHECKING:
    from mmengine.config import Config
    from rich.progress import Progress

METRICS_FILE = "metrics.json"


def add(config: Config) -> None:
    """Give a config the hooks of every run, unless it names them itself."""
    hooks = list(config.get("custom_hooks") or [])
    wanted = [
        "mmsuper.IterationSeedHook",
        "mmsuper.PlainCheckpointHook",
        "mmsuper.LossSyncHook",
        "mmsuper.MetricsHook",
        "mmsuper.ProgressHook",
    ]
    if config.get("val_loss"):
        wanted.append("mmsuper.ValidationLossHook")
    named = {hook.get("type") for hook in hooks if isinstance(hook, dict)}
    config.custom_hooks = [*hooks, *({"type": name} for name in wanted if name not in named)]

    defaults = dict(config.get("default_hooks") or {})
    checkpoint = defaults.get("checkpoint", {"type": "CheckpointHook", "interval": 1})
    if checkpoint and checkpoint["type"].rpartition(".")[2] == "CheckpointHook":
        defaults["checkpoint"] = {**checkpoint, "type": "mmsuper.CheckpointHook"}
    config.default_hooks = defaults


@HOOKS.register_module()
class MetricsHook(Hook):
    """Keep the metrics of a run, whichever loop computes them, and write ``metrics.json``.

    The file holds ``train`` (the last values logged), ``val`` (the last validation),
    ``history`` (every validation) and ``test``; each with the iteration it belongs to.
    MMEngine's loops return their metrics but mmagic's return nothing; all of them pass
    them to hooks.
    """

    priority = "VERY_LOW"

    def __init__(self) -> None:
        self.record: dict[str, Any] = {}

    def before_train(self, runner: Any) -> None:
        """Take over what a resumed run had recorded up to its checkpoint."""
        path = Path(runner.work_dir) / METRICS_FILE
        if runner.iter and path.is_file():
            history = json.loads(path.read_text(encoding="utf-8")).get("history", [])
            self.record["history"] = [one for one in history if one["iter"] <= runner.iter]

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Record a validation."""
        one = {"iter": runner.iter, "epoch": runner.epoch, **plain_metrics(metrics)}
        self.record["val"] = one
        self.record.setdefault("history", []).append(one)
        self._write(runner)

    def after_test_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Record a test."""
        self.record["test"] = plain_metrics(metrics)
        self._write(runner)

    def after_train(self, runner: Any) -> None:
        """Record the last losses."""
        scalars = {
            key.removeprefix("train/"): buffer.current()
            for key, buffer in runner.message_hub.log_scalars.items()
            if key.startswith("train/") and isinstance(buffer, HistoryBuffer)
        }
        self.record["train"] = {
            "iter": runner.iter,
            "epoch": runner.epoch,
            **plain_metrics(scalars),
        }
        self._write(runner)

    def _write(self, runner: Any) -> None:
        if is_main_process():
            write_json(Path(runner.work_dir) / METRICS_FILE, self.record)


def plain_metrics(metrics: dict[str, Any] | None) -> dict[str, Any]:
    """Metrics as JSON holds them: numbers as floats (not-a-number as null), the rest as text."""
    return {key: _plain(value) for key, value in (metrics or {}).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, str) or value is None:
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    if isinstance(value, int):
        return value
    return number if math.isfinite(number) else None


@HOOKS.register_module()
class LossSyncHook(Hook):
    """Log the losses of all processes, averaged; MMEngine logs the first one's."""

    # Before RuntimeInfoHook, which takes the values for logging.
    priority = "HIGHEST"

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Average in place."""
        if outputs and get_world_size() > 1:
            all_reduce_dict(outputs, "mean")


@HOOKS.register_module()
class ValidationLossHook(Hook):
    """Report the training loss over the validation set, as ``val/loss``.

    It works for every model whose ``forward(mode="loss")`` does and whose validation data
    come with ground truth. The model is in evaluation mode, its samples are prepared as in
    training but without random batch augmentation, and every batch counts by its size.
    With several losses, each is reported as ``val/<name>`` and their sum as ``val/loss``.
    The config key ``val_loss = True`` switches it on.
    """

    # Before RuntimeInfoHook and others that use the metrics.
    priority = "HIGHEST"

    def __init__(self) -> None:
        self.sums: dict[str, float] = {}
        self.count = 0

    def before_val_epoch(self, runner: Any) -> None:
        """Begin anew."""
        self.sums, self.count = {}, 0

    @torch.no_grad()
    def before_val_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Add the loss of a batch; on a copy, as some models change their samples."""
        from mmsuper.engine.runners import bare

        model: Any = bare(runner.model)
        batch = copy.deepcopy(data_batch)
        size = _batch_size(batch)
        preprocessor = model.data_preprocessor
        augments = getattr(preprocessor, "batch_augments", None)
        try:
            if augments is not None:
                preprocessor.batch_augments = None
            batch = preprocessor(batch, training=True)
        finally:
            if augments is not None:
                preprocessor.batch_augments = augments
        losses = model._run_forward(batch, mode="loss")
        _, values = model.parse_losses(losses)
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value) * size
        self.count += size

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Add the means to the metrics, in place."""
        if metrics is None or not self.count:
            return
        totals = torch.tensor([*self.sums.values(), self.count], dtype=torch.float64)
        all_reduce(totals)
        for name, total in zip(self.sums, totals[:-1], strict=True):
            metrics[f"val/{name}"] = float(total / totals[-1])


@HOOKS.register_module()
class SideEMAHook(EMAHook):
    """Keep averaged weights beside the raw ones, which stay what is validated and saved.

    MMEngine's hook exchanges the two for every validation and in every checkpoint. Here a
    checkpoint's ``state_dict`` is raw and its ``ema_state_dict`` averaged.
    """

    def _swap_ema_parameters(self) -> None:
        """Validate and test the raw weights."""

    def _swap_ema_state_dict(self, checkpoint: dict) -> None:
        """Save the raw weights as the model's."""


@HOOKS.register_module()
class ProgressHook(Hook):
    """A progress bar with the time left, on a terminal; elsewhere the log's plain lines.

    While the bar is shown, the log's lines go to the log file only.
    """

    priority = "LOWEST"

    def __init__(self) -> None:
        self.progress: Progress | None = None
        self.bars: dict[str, Any] = {}
        self.levels: list[tuple[logging.Handler, int]] = []

    def before_train(self, runner: Any) -> None:
        """Begin the bar of the training."""
        self._start(runner)
        self._bar("train", runner.max_iters, runner.iter)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Advance the bar of the training; it shows the loss."""
        loss = (outputs or {}).get("loss")
        note = "" if loss is None or self.progress is None else f"loss {float(loss.detach()):.4f}"
        self._advance("train", note)

    def after_train(self, runner: Any) -> None:
        """End the bars."""
        self._stop()

    def before_val_epoch(self, runner: Any) -> None:
        """Begin the bar of a validation."""
        self._start(runner)
        self._bar("val", _length(runner.val_loop))

    def after_val_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Advance the bar of a validation."""
        self._advance("val")

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Replace the bar of a validation by a line with its metrics."""
        if self.progress is not None:
            numbers = [f"{k} {v:.4f}" for k, v in (metrics or {}).items() if isinstance(v, float)]
            line = f"iteration {runner.iter}: {', '.join(numbers)}"
            self.progress.console.print(line, highlight=False)
            self.progress.remove_task(self.bars.pop("val"))

    def before_test_epoch(self, runner: Any) -> None:
        """Begin the bar of a test."""
        self._start(runner)
        self._bar("test", _length(runner.test_loop))

    def after_test_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Advance the bar of a test."""
        self._advance("test")

    def after_test_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """End the bars."""
        self._stop()

    def _start(self, runner: Any) -> None:
        if self.progress is not None or not is_main_process():
            return
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        console = Console()
        if not console.is_terminal:
            return
        self.levels = [
            (handler, handler.level)
            for handler in runner.logger.handlers
            if not isinstance(handler, logging.FileHandler)
        ]
        for handler, _ in self.levels:
            handler.setLevel(logging.WARNING)
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
        )
        self.progress.start()

    def _bar(self, name: str, total: int | None, completed: int = 0) -> None:
        if self.progress is not None:
            self.bars[name] = self.progress.add_task(
                name, total=total, completed=completed, note=""
            )

    def _advance(self, name: str, note: str = "") -> None:
        if self.progress is not None:
            self.progress.update(self.bars[name], advance=1, note=note)

    def _stop(self) -> None:
        if self.progress is not None:
            self.progress.stop()
            self.progress = None
        for handler, level in self.levels:
            handler.setLevel(level)
        self.levels = []


def _length(loop: Any) -> int | None:
    try:
        return len(loop.dataloader)
    except (AttributeError, TypeError):  # mmagic's loops have several data loaders
        return None


def _batch_size(batch: Any) -> int:
    if isinstance(batch, dict):
        batch = batch["data_samples"] if "data_samples" in batch else batch["inputs"]
    return len(batch)
