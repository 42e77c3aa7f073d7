"""Starting as one of several processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mmsuper.errors import UserError

if TYPE_CHECKING:
    from mmengine.config import Config


def choose_launcher(asked: str | None) -> str:
    """The launcher that was asked for; else PyTorch's, if torchrun started this process."""
    return asked or ("pytorch" if "TORCHELASTIC_RUN_ID" in os.environ else "none")


@contextmanager
def group(config: Config) -> Iterator[None]:
    """Join the group of processes, if a launcher started several, and leave it at the end.

    A group that the caller has joined already is used and left alone.

    Raises:
        UserError: If the launcher cannot work here.
    """
    import torch

    joined = _join(config)
    try:
        yield
    finally:
        if joined:
            torch.distributed.destroy_process_group()


def _join(config: Config) -> bool:
    """Join the group of processes; return whether that was to be done.

    MMEngine would do it when it builds the runner, but only with GPUs.

    Raises:
        UserError: If the launcher cannot work here.
    """
    launcher = config.get("launcher", "none")
    if launcher == "none":
        return False
    import torch
    from mmengine.dist import init_dist, is_distributed

    if launcher == "pytorch" and "RANK" not in os.environ:
        raise UserError(
            "--launcher pytorch is for processes that torchrun starts: "
            "torchrun --nproc_per_node=N -m mmsuper train CONFIG"
        )
    if is_distributed():
        return False
    options = dict(config.get("env_cfg", {}).get("dist_cfg", {}))
    if torch.cuda.is_available():
        if "DeepSpeed" in str(config.get("strategy", {}).get("type")):
            return False  # it starts the processes' group by itself
        init_dist(launcher, **options)
    elif launcher == "pytorch":
        torch.distributed.init_process_group("gloo")
    else:
        raise UserError(f"--launcher {launcher} needs GPUs; on processors use torchrun")
    return True


def first_alone(action: Callable[[], None]) -> None:
    """Let the first process act before the others do: it makes files that they find made."""
    from mmengine.dist import barrier, is_main_process

    if is_main_process():
        action()
    barrier()
    if not is_main_process():
        action()
