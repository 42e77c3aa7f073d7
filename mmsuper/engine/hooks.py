"""Hooks that every run of the driver gets; :func:`add` puts them into a config."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer

from mmsuper.engine.files import write_json
from mmsuper.registry import HOOKS

METRICS_FILE = "metrics.json"


def add(config: Any) -> None:
    """Append the hooks of this module that a config does not name yet."""
    hooks = list(config.get("custom_hooks") or [])
    named = {hook.get("type") for hook in hooks if isinstance(hook, dict)}
    for name in ("mmsuper.MetricsHook",):
        if name not in named:
            hooks.append({"type": name})
    config.custom_hooks = hooks


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
    if isinstance(value, str) or value is None:
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    if isinstance(value, int):
        return value
    return number if math.isfinite(number) else None
