"""MMEngine's two runners, with a plain work dir and quiet beginnings.

What a run leaves in its work dir is described in ``docs/verbs/train.md``. MMEngine would
make a folder named after the time of every start; ours is called ``log``, and a resumed run
appends to it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine import runner as mmengine_runner
from mmengine.dist import master_only
from mmengine.registry import STRATEGIES

from mmsuper.engine.files import write_text
from mmsuper.registry import RUNNERS

LOG_FOLDER = "log"


@contextmanager
def quiet(logger: logging.Logger) -> Iterator[None]:
    """Send what is logged to the log file only, not to the terminal."""
    terminals = [
        (handler, handler.level)
        for handler in logger.handlers
        if not isinstance(handler, logging.FileHandler)
    ]
    for handler, level in terminals:
        handler.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        for handler, level in terminals:
            handler.setLevel(level)


class _PlainWorkDir:
    """Common to both runners."""

    cfg: Any
    logger: Any
    work_dir: str

    @master_only
    def dump_config(self) -> None:
        """Write the expanded config."""
        write_text(Path(self.work_dir) / "config.py", self.cfg.pretty_text)

    def _log_env(self, *arguments: Any) -> None:
        with quiet(self.logger):
            super()._log_env(*arguments)  # type: ignore[misc]


@RUNNERS.register_module()
class Runner(_PlainWorkDir, mmengine_runner.Runner):
    """MMEngine's ``Runner``."""

    def setup_env(self, env_cfg: dict) -> None:
        """Set up processes; the "time stamp" that names log files becomes a plain word."""
        super().setup_env(env_cfg)
        self._timestamp = LOG_FOLDER


@RUNNERS.register_module()
class FlexibleRunner(_PlainWorkDir, mmengine_runner._flexible_runner.FlexibleRunner):
    """MMEngine's ``FlexibleRunner``: strategies such as FSDP and DeepSpeed."""

    def build_strategy(self, strategy: Any = None, launcher: str = "none", **options: Any) -> Any:
        """Build the strategy; the "time stamp" that names log files becomes a plain word."""
        if strategy is None:
            strategy = {"type": "SingleDeviceStrategy" if launcher == "none" else "DDPStrategy"}
        strategy = dict(strategy)
        base = strategy["type"]
        base = STRATEGIES.get(base) if isinstance(base, str) else base
        strategy["type"] = type(base.__name__, (_PlainLog, base), {})
        return super().build_strategy(strategy, launcher=launcher, **options)


class _PlainLog:
    def _setup_env(self, **options: Any) -> None:
        super()._setup_env(**options)  # type: ignore[misc]
        self._timestamp = LOG_FOLDER
