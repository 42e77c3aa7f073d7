"""The verbs ``train`` and ``test``: from command line arguments to a finished run."""

from __future__ import annotations

import time
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsuper.errors import UserError

if TYPE_CHECKING:
    from mmengine.config import Config


def train(arguments: Namespace) -> int:
    """Train; the verb ``train``."""
    from mmsuper import configuration
    from mmsuper.engine import build_runner, options

    config = configuration.load(arguments.config, options.parse(arguments.cfg_options))
    config.work_dir = _work_dir(config, arguments.work_dir)
    config.launcher = arguments.launcher
    manifest = _begin(config, "train")
    runner = build_runner(config)
    runner.train()
    _end(config, manifest)
    return 0


def test(arguments: Namespace) -> int:
    """Evaluate; the verb ``test``."""
    from mmsuper import configuration
    from mmsuper.engine import build_runner, options

    config = configuration.load(arguments.config, options.parse(arguments.cfg_options))
    config.work_dir = _work_dir(config, arguments.work_dir, "test")
    config.launcher = arguments.launcher
    if not Path(arguments.checkpoint).is_file():
        raise UserError(f"no checkpoint at {arguments.checkpoint}")
    config.load_from = arguments.checkpoint
    manifest = _begin(config, "test")
    runner = build_runner(config)
    runner.test()
    _print_metrics(runner)
    _end(config, manifest)
    return 0


def _work_dir(config: Config, chosen: str | None, *below: str) -> str:
    if chosen:
        return chosen
    folder = config.get("work_dir") or Path("work_dirs") / Path(config.filename).stem
    return str(Path(folder, *below))


def _begin(config: Config, verb: str) -> dict[str, Any]:
    from mmsuper.engine import manifest
    from mmsuper.engine.files import write_json

    record = manifest.describe(config, verb)
    write_json(Path(config.work_dir) / "manifest.json", record)
    return record


def _end(config: Config, record: dict[str, Any]) -> None:
    from mmsuper.engine.files import write_json

    record["finished"] = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    write_json(Path(config.work_dir) / "manifest.json", record)


def _print_metrics(runner: Any) -> None:
    from rich.console import Console
    from rich.table import Table

    from mmsuper.engine.hooks import MetricsHook

    record = next(hook.record for hook in runner.hooks if isinstance(hook, MetricsHook))
    table = Table("metric", "value")
    for name, value in record.get("test", {}).items():
        table.add_row(name, f"{value:.4f}" if isinstance(value, float) else str(value))
    Console().print(table)
