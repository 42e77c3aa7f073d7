"""Checkpoints that survive crashes, and resuming from them.

A checkpoint is written under a temporary name, brought to the disk and renamed, and only
then the pointer ``last_checkpoint`` is changed and an older checkpoint deleted. It holds
tensors and plain data only, so that it can be read without running code. When a run is
resumed, a checkpoint that cannot be read is passed over for the one before it.
"""

from __future__ import annotations

import errno
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend
from mmengine.fileio.backends import register_backend
from mmengine.hooks import CheckpointHook as MMEngineCheckpointHook
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer

from mmsuper import checkpoint as checkpoint_files
from mmsuper.engine import report
from mmsuper.errors import UserError
from mmsuper.files import write_bytes, write_text
from mmsuper.registry import HOOKS

POINTER = "last_checkpoint"
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NUMBER = re.compile(r"(?:iter|epoch)_(\d+)\.pth")
_BUFFER = "mmengine.HistoryBuffer"


class AtomicBackend(LocalBackend):
    """MMEngine's access to local files, with files that are replaced as a whole."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write a file of bytes."""
        write_bytes(filepath, obj)

    def put_text(self, obj: str, filepath: str | Path, encoding: str = "utf-8") -> None:
        """Write a file of text."""
        write_bytes(filepath, obj.encode(encoding))


def install() -> None:
    """Make MMEngine write files as a whole and read checkpoints without running code."""
    from mmsuper.compat.mmengine import refuse_pickles

    register_backend("local", AtomicBackend, force=True, prefixes="")
    refuse_pickles()


def find_latest(work_dir: str | Path) -> Path | None:
    """The newest checkpoint of a run that can be read whole, or None if there is none.

    Candidates are the one that ``last_checkpoint`` names and then the others, newest first.
    Each that is damaged is reported on standard error and passed over.

    Raises:
        UserError: If there are checkpoints and all are damaged.
    """
    candidates = _candidates(Path(work_dir))
    for path in candidates:
        fault = _fault(path)
        if fault is None:
            return path
        report.note(f"passed over: {fault}")
    if candidates:
        raise UserError(f"none of the {len(candidates)} checkpoints in {work_dir} can be read")
    return None


def _fault(path: Path) -> str | None:
    """What is wrong with a checkpoint of a training, or None."""
    try:
        content = checkpoint_files.read(path)
    except UserError as error:
        return str(error)
    if not {"meta", "state_dict", "optimizer"} <= content.keys():
        return f"{path} is no checkpoint to resume from"
    # PyTorch writes check sums and does not look at them when it reads.
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    return f"{path} is damaged in {damaged}" if damaged else None


def _candidates(work_dir: Path) -> list[Path]:
    numbered = [
        (int(match[1]), path)
        for path in work_dir.glob("*.pth")
        if (match := _NUMBER.fullmatch(path.name))
    ]
    paths = [path for _, path in sorted(numbered, reverse=True)]
    pointer = work_dir / POINTER
    if pointer.is_file():
        # By name: the folder may have been moved since.
        named = work_dir / Path(pointer.read_text().strip()).name
        if named.is_file():
            paths = [named, *(path for path in paths if path != named)]
    return paths


@HOOKS.register_module()
class CheckpointHook(MMEngineCheckpointHook):
    """MMEngine's hook, but a checkpoint is deleted only when its successor is on the disk."""

    best_ckpt_path: str | None
    best_ckpt_path_dict: dict[str, str | None]

    def _save_checkpoint_with_step(self, runner: Any, step: int, meta: dict) -> None:
        outdated = self._remember(runner, step) if self.max_keep_ckpts > 0 else None
        name = self.filename_tmpl.format(step)
        self.last_ckpt = str(Path(self.out_dir) / name)
        runner.message_hub.update_info("last_ckpt", self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            write_text(Path(runner.work_dir) / POINTER, self.last_ckpt)
            if outdated is not None:
                self._delete(Path(self.out_dir) / self.filename_tmpl.format(outdated))

    def _remember(self, runner: Any, step: int) -> int | None:
        """Note a step to be kept; return the one that is too many then."""
        if step in self.keep_ckpt_ids:
            return None
        full = len(self.keep_ckpt_ids) == self.max_keep_ckpts
        outdated = self.keep_ckpt_ids[0] if full else None
        self.keep_ckpt_ids.append(step)
        runner.message_hub.update_info("keep_ckpt_ids", list(self.keep_ckpt_ids))
        return outdated

    def _save_best_checkpoint(self, runner: Any, metrics: dict) -> None:
        if not self.save_best:
            return
        if "auto" not in self.key_indicators:
            absent = [key for key in self.key_indicators if key not in metrics]
            if absent:
                raise UserError(
                    f"save_best names the metric {absent[0]!r}, which validation does not "
                    f"give; it gives {', '.join(metrics)}"
                )
        # While nothing is known of an older best, MMEngine deletes none.
        older = self._take_best()
        super()._save_best_checkpoint(runner, metrics)
        newer = self._take_best()
        self._set_best({key: newer[key] or older[key] for key in older})
        if is_main_process():
            for key, path in older.items():
                if path and newer[key] and path != newer[key]:
                    self._delete(Path(path))

    def _take_best(self) -> dict[str, str | None]:
        if len(self.key_indicators) == 1:
            found = {"": self.best_ckpt_path}
            self.best_ckpt_path = None
        else:
            found = dict(self.best_ckpt_path_dict)
            self.best_ckpt_path_dict = dict.fromkeys(found)
        return found

    def _set_best(self, paths: dict[str, str | None]) -> None:
        if len(self.key_indicators) == 1:
            self.best_ckpt_path = paths[""]
        else:
            self.best_ckpt_path_dict = paths

    @staticmethod
    def _delete(path: Path) -> None:
        if path.is_dir():  # sharded checkpoints
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@HOOKS.register_module()
class PlainCheckpointHook(Hook):
    """Turn what is in a checkpoint beside tensors into plain data, and back."""

    # After the hooks that put something in, such as EMAHook.
    priority = "LOWEST"

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Turn into plain data all that MMEngine stores beside the model's weights."""
        # FlexibleRunner counts one iteration too many when it saves after a validation.
        checkpoint["meta"].update(getattr(runner, "checkpoint_meta", {}))
        for key, value in checkpoint.items():
            if not key.endswith("state_dict"):
                checkpoint[key] = to_plain(value)

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Bring back the logged curves, which a resumed run continues."""
        if "message_hub" in checkpoint:
            checkpoint["message_hub"] = from_plain(checkpoint["message_hub"])


def to_plain(value: Any) -> Any:
    """What ``torch.load(weights_only=True)`` can read; an unknown object becomes its ``repr``."""
    if isinstance(value, HistoryBuffer):
        values, counts = value.data
        return {
            "type": _BUFFER,
            "values": torch.from_numpy(np.array(values, dtype=np.float64)),
            "counts": torch.from_numpy(np.array(counts, dtype=np.int64)),
            "max_length": value.max_length,
        }
    if isinstance(value, dict):
        return {to_plain(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [to_plain(item) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return torch.from_numpy(value.copy())
    if value is None or isinstance(value, (bool, int, float, str, torch.Tensor, torch.dtype)):
        return value
    return repr(value)


def from_plain(value: Any) -> Any:
    """The inverse of :func:`to_plain` for logged curves, wherever they are in ``value``."""
    if isinstance(value, dict):
        if value.get("type") == _BUFFER:
            buffer = HistoryBuffer(max_length=value["max_length"])
            buffer._log_history = value["values"].numpy()
            buffer._count_history = value["counts"].numpy()
            return buffer
        return {key: from_plain(item) for key, item in value.items()}
    return value
