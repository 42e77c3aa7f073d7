"""What ``train`` and ``test`` do with a config: runners, loops, hooks, records of a run.

No host library is imported here; registries import what a config names.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

from mmsuper.errors import UserError

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
        The runner; ``runner.train()`` and ``runner.test()`` run it.

    Raises:
        UserError: If a class refuses what the config gives it.
    """
    from mmengine.registry import RUNNERS

    import mmsuper.registry  # noqa: F401
    from mmsuper.engine import hooks

    hooks.add(config)
    # MMEngine keeps logger, message hub and visualizer of a process by this name.
    stem = Path(config.filename).stem if config.filename else "run"
    config.experiment_name = f"{config.get('experiment_name') or stem}-{next(_RUNS)}"
    config.env_cfg = config.get("env_cfg") or {}  # FlexibleRunner has no default of its own
    name = config.get("runner_type", "Runner")
    if name in ("Runner", "FlexibleRunner"):
        name = f"mmsuper.{name}"
    kind = RUNNERS.get(name)
    if kind is None:
        raise UserError(f"{config.filename}: there is no runner_type {name!r}")
    try:
        return kind.from_cfg(config)
    except (AssertionError, TypeError, ValueError) as error:
        # What a class says of the values that the config gives it.
        raise UserError(f"{config.filename}: {type(error).__name__}: {error}") from error
