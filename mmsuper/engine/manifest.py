"""``manifest.json``: what one needs to know to repeat a run."""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mmsuper

if TYPE_CHECKING:
    from mmengine.config import Config

PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "onedl-mmengine",
    "onedl-mmcv",
    "onedl-mmpretrain",
    "onedl-mmdetection",
    "onedl-mmsegmentation",
    "mmagic",
    "transformers",
)


def describe(config: Config, verb: str) -> dict[str, Any]:
    """The manifest of a run that starts now.

    Args:
        config: The config as it will run.
        verb: The command, "train" or "test".

    Returns:
        Plain data: versions, git commit, seed, command line, device, data fingerprints.
    """
    return {
        "verb": verb,
        "command": shlex.join(sys.argv),
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "config": str(config.filename) if config.filename else None,
        "config_sha256": hashlib.sha256(config.pretty_text.encode()).hexdigest(),
        "seed": config.get("randomness", {}).get("seed"),
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
        "device": device_name(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "mmsuper": mmsuper.__version__,
        "packages": _versions(),
        "git": _git(Path(mmsuper.__file__).parent),
        "data": {root: fingerprint(root) for root in sorted(set(data_roots(config)))},
    }


def data_roots(config: Any) -> Iterator[str]:
    """Every ``data_root`` that a data loader of the config names."""
    for name in ("train_dataloader", "val_dataloader", "test_dataloader"):
        yield from _data_roots(config.get(name))


def fingerprint(root: str | Path) -> dict[str, Any]:
    """A cheap identity of a folder: its files' names and sizes, not their content.

    Args:
        root: The folder.

    Returns:
        ``files`` (count), ``bytes`` (sum of the sizes) and ``sha256`` of the sorted list.
    """
    root = Path(root)
    entries = sorted(
        (path.relative_to(root).as_posix(), path.stat().st_size)
        for path in root.rglob("*")
        if path.is_file()
    )
    digest = hashlib.sha256()
    for name, size in entries:
        digest.update(f"{name}\0{size}\n".encode())
    return {
        "files": len(entries),
        "bytes": sum(size for _, size in entries),
        "sha256": digest.hexdigest(),
    }


def device_name() -> str:
    """The accelerator's name, or the processor's architecture and thread count."""
    import torch

    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()} x{torch.cuda.device_count()}"
    return f"cpu ({platform.machine()}, {torch.get_num_threads()} threads)"


def _data_roots(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        root = value.get("data_root")
        if isinstance(root, str) and root:
            yield root
        for item in value.values():
            yield from _data_roots(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _data_roots(item)


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _git(folder: Path) -> dict[str, Any] | None:
    """Commit of the checkout that the code runs from, or None outside a checkout."""
    try:
        commit = _git_answer(folder, "rev-parse", "HEAD")
        changes = _git_answer(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return {"commit": commit, "modified": bool(changes)}


def _git_answer(folder: Path, *words: str) -> str:
    answer = subprocess.run(
        ["git", "-C", str(folder), *words], check=True, capture_output=True, text=True
    )
    return answer.stdout.strip()
