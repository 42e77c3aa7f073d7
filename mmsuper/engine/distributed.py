"""Starting as one of several processes."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from mmsuper.errors import UserError

if TYPE_CHECKING:
    from mmengine.config import Config


def choose_launcher(asked: str | None) -> str:
    """The launcher that was asked for; else PyTorch's, if torchrun started this process."""
    return asked or ("pytorch" if "TORCHELASTIC_RUN_ID" in os.environ else "none")


def start(config: Config) -> None:
    """Join the group of processes, if a launcher started several.

    MMEngine would do it when it builds the runner, but only with GPUs.

    Raises:
        UserError: If the launcher cannot work here.
    """
    launcher = config.get("launcher", "none")
    if launcher == "none":
        return
    import torch
    from mmengine.dist import init_dist, is_distributed

    if launcher == "pytorch" and "RANK" not in os.environ:
        raise UserError(
            "--launcher pytorch is for processes that torchrun starts: "
            "torchrun --nproc_per_node=N -m mmsuper train CONFIG"
        )
    if is_distributed():
        return
    options = dict(config.get("env_cfg", {}).get("dist_cfg", {}))
    if torch.cuda.is_available():
        if "DeepSpeed" not in str(config.get("strategy", {}).get("type")):
            init_dist(launcher, **options)
    elif launcher == "pytorch":
        torch.distributed.init_process_group("gloo")
    else:
        raise UserError(f"--launcher {launcher} needs GPUs; on processors use torchrun")


def first_alone(action: Callable[[], None]) -> None:
    """Let the first process act before the others do: it makes files that they find made."""
    from mmengine.dist import barrier, is_main_process

    if is_main_process():
        action()
    barrier()
    if not is_main_process():
        action()


def stop() -> None:
    """Leave the group of processes."""
    import torch

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
