"""What ``train`` and ``test`` do with a config: runners, loops, hooks, records of a run.

No host library is imported here; registries import what a config names.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.runner import Runner

_RUNS = itertools.count()


def build_runner(config: Config) -> Runner:
    """Build the runner that a config asks for, with our hooks and layout of the work dir.

    ``runner_type`` chooses: ``Runner`` (the default) and ``FlexibleRunner`` are built as
    our sub-classes of MMEngine's, another name is taken from the registry as it is.

    Args:
        config: A config with ``work_dir`` set; our hooks are added to its ``custom_hooks``.

    Returns:
        The runner; :func:`evaluate` and ``runner.train()`` run it.
    """
    from mmengine.registry import RUNNERS

    import mmsuper.registry  # noqa: F401
    from mmsuper.engine import hooks

    hooks.add(config)
    # MMEngine keeps logger, message hub and visualizer of a process by this name.
    stem = Path(config.filename).stem if config.filename else "run"
    config.experiment_name = f"{config.get('experiment_name') or stem}-{next(_RUNS)}"
    name = config.get("runner_type", "Runner")
    if name in ("Runner", "FlexibleRunner"):
        name = f"mmsuper.{name}"
    return RUNNERS.get(name).from_cfg(config)
