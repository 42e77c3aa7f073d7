"""Checks of an installation: what is found, whether it will do, and what to do about it.

A check never raises: what goes wrong inside one is its finding.
"""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from mmsuper.errors import UserError
from mmsuper.paths import payload_root

OK, WARNING, BROKEN = "ok", "warning", "broken"
PYTHONS = ((3, 10), (3, 13))
# Distributions without which some command does not start.
NEEDED = (
    "torch",
    "torchvision",
    "numpy",
    "onedl-mmengine",
    "onedl-mmcv",
    "onedl-mmdetection",
    "onedl-mmsegmentation",
    "onedl-mmpretrain",
    "mmagic",
    "transformers",
)
OPENCVS = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
GIB = 2**30
INSTALL = "run `make install` in the checkout"


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: What was looked at.
        status: ``ok``, ``warning`` or ``broken``.
        found: What is there.
        advice: What to do about it; empty if nothing.
    """

    check: str
    status: str
    found: str
    advice: str = ""


def examine() -> list[Finding]:
    """Run every check."""
    return [finding for name, check in CHECKS.items() for finding in _safely(name, check)]


def _safely(name: str, check: Callable[[], Iterator[Finding]]) -> list[Finding]:
    try:
        return list(check())
    except Exception as error:
        return [Finding(name, BROKEN, f"{type(error).__name__}: {error}", INSTALL)]


def python_version() -> Iterator[Finding]:
    """The interpreter."""
    good = PYTHONS[0] <= sys.version_info[:2] < PYTHONS[1]
    advice = "" if good else "make the environment with Python 3.10, 3.11 or 3.12"
    yield Finding("python", OK if good else BROKEN, platform.python_version(), advice)


def packages() -> Iterator[Finding]:
    """Versions of what we need, against the set that was tested together."""
    pins = _pins()
    for name in NEEDED:
        yield _package(name, pins.get(name), missing=BROKEN)
    for name in sorted(set(pins) - set(NEEDED)):
        finding = _package(name, pins[name], missing=WARNING)
        if finding.status != OK:
            yield finding
    opencvs = [name for name in OPENCVS if _version(name)]
    if len(opencvs) > 1:
        advice = f"uninstall all of them and install {OPENCVS[1]} again: they share files"
        yield Finding("opencv", WARNING, " and ".join(opencvs), advice)


def _package(name: str, tested: str | None, missing: str) -> Finding:
    version = _version(name)
    if version is None:
        pin = f"{name}=={tested}" if tested else name
        return Finding(name, missing, "not installed", f"{INSTALL}, or `pip install {pin}`")
    if tested is not None and version.partition("+")[0] != tested:
        advice = f"tested with {tested}; if something fails, `pip install {name}=={tested}`"
        return Finding(name, WARNING, version, advice)
    return Finding(name, OK, version)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _pins() -> dict[str, str]:
    """The tested versions, where this is a checkout."""
    pins = {}
    for file in ("pinned.txt", "mmcv.txt"):
        path = payload_root() / "requirements" / file
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        for line in lines:
            name, separator, version = line.partition("#")[0].strip().partition("==")
            if separator:
                pins[name.strip().lower()] = version.partition(";")[0].strip()
    return pins


def operators() -> Iterator[Finding]:
    """The compiled operators of mmcv: a build that saw no torch lacks them, silently."""
    import torch

    rebuild = (
        "with torch installed, run `MMCV_WITH_OPS=1 pip install --no-build-isolation "
        "--no-deps --force-reinstall onedl-mmcv`"
    )
    try:
        from mmcv.ops import nms

        boxes = torch.tensor([[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 4.0, 3.9], [9.0, 9.0, 12.0, 12.0]])
        _, kept = nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5)
    except Exception as error:
        yield Finding("mmcv operators", BROKEN, f"{type(error).__name__}: {error}", rebuild)
        return
    good = kept.tolist() == [0, 2]
    found = "built, nms runs" if good else f"nms kept boxes {kept.tolist()} instead of 0 and 2"
    yield Finding("mmcv operators", OK if good else BROKEN, found, "" if good else rebuild)


def hosts() -> Iterator[Finding]:
    """The host libraries import, with our shims."""
    from mmsuper.compat import mmagic, mmpretrain

    mmpretrain.apply()
    mmagic.apply()
    for library in ("mmpretrain", "mmdet", "mmseg", "mmagic"):
        try:
            importlib.import_module(f"{library}.models")
        except Exception as error:
            found = f"does not import: {type(error).__name__}: {error}"
            yield Finding(library, BROKEN, found, INSTALL)
        else:
            yield Finding(library, OK, "imports")


def models() -> Iterator[Finding]:
    """Our index is readable and our networks are registered."""
    from mmsuper.apis.models import list_models

    found = list_models()
    bundled = sum(model.weights is not None for model in found)
    yield Finding("models", OK, f"{len(found)} listed, {bundled} with a checkpoint at hand")
    lost = [model.name for model in found if not model.config.is_file()]
    if lost:
        yield Finding("configs", BROKEN, f"no config for {', '.join(lost)}", "reinstall mmsuper")


def devices() -> Iterator[Finding]:
    """What can compute."""
    import torch

    yield Finding("cpu", OK, f"{os.cpu_count()} cores, PyTorch uses {torch.get_num_threads()}")
    for i in range(torch.cuda.device_count()):
        memory = torch.cuda.get_device_properties(i).total_memory / GIB
        yield Finding(f"cuda:{i}", OK, f"{torch.cuda.get_device_name(i)}, {memory:.0f} GiB")
    if not torch.cuda.is_available() and Path("/dev/nvidiactl").exists():
        advice = "check with `nvidia-smi` that the driver is new enough for this torch"
        built = torch.version.cuda or "no CUDA"
        yield Finding("cuda", WARNING, f"a GPU that torch (built for {built}) cannot use", advice)
    if torch.backends.mps.is_available():
        yield Finding("mps", OK, "available")


def space() -> Iterator[Finding]:
    """Disk and memory."""
    import psutil

    free = shutil.disk_usage(Path.cwd()).free / GIB
    status = BROKEN if free < 0.5 else WARNING if free < 5 else OK
    advice = "free some: a long training writes several GiB of checkpoints and logs"
    yield Finding("disk", status, f"{free:.1f} GiB free here", "" if status == OK else advice)
    memory = psutil.virtual_memory()
    left, total = memory.available / GIB, memory.total / GIB
    status = WARNING if left < 3 else OK
    advice = "" if status == OK else "close other programs, or lower batch_size and num_workers"
    yield Finding("memory", status, f"{left:.1f} of {total:.1f} GiB available", advice)


def work_dir() -> Iterator[Finding]:
    """Runs can write where they write by default."""
    folder = Path("work_dirs") if Path("work_dirs").exists() else Path.cwd()
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        advice = "start from a folder that you own, or give --work-dir"
        yield Finding("work_dirs", BROKEN, f"{folder}: {error.strerror}", advice)
    else:
        yield Finding("work_dirs", OK, f"{folder.resolve()} can be written")


def sample_data() -> Iterator[Finding]:
    """The sample data sets; they are made on first use."""
    from mmsuper.data import samples

    made = [kind for kind in samples.ALL if samples.is_current("data/samples", kind)]
    missing = [kind for kind in samples.ALL if kind not in made]
    found = f"made: {', '.join(made) or 'none'}"
    advice = f"`python -m mmsuper data {' '.join(missing)}` makes the rest" if missing else ""
    yield Finding("sample data", OK, found, advice)


def packaging() -> Iterator[Finding]:
    """Configs and index files are there."""
    try:
        yield Finding("configs", OK, str(payload_root() / "configs"))
    except UserError as error:
        yield Finding("configs", BROKEN, str(error), "`pip install mmsuper-lab`")


CHECKS: dict[str, Callable[[], Iterator[Finding]]] = {
    "python": python_version,
    "configs": packaging,
    "packages": packages,
    "mmcv operators": operators,
    "host libraries": hosts,
    "models": models,
    "devices": devices,
    "space": space,
    "work_dirs": work_dir,
    "sample data": sample_data,
}
