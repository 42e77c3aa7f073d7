"""Small real data sets in the standard layouts, made from what installed packages carry.

Nothing is downloaded: pictures come from scikit-image, scikit-learn, matplotlib, imaug and
imagecorruptions, texts from Python's standard library. The result is the same on every
machine with the same packages; ``docs/data.md`` describes every kind.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsuper.errors import UserError

if TYPE_CHECKING:
    from mmengine.config import Config

#: Every kind with its version. Raise the number when the files of a kind change: folders
#: made by an older version are then made again.
VERSIONS = {
    "sr": 1,
    "classification": 1,
    "coco": 1,
    "segmentation": 1,
    "clips": 1,
    "text": 1,
}
ALL = tuple(VERSIONS)

_STAMP = ".mmsuper-sample"
_DATALOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")


def make(
    root: str | Path, kinds: Iterable[str] = ALL, notify: Callable[[str], None] | None = None
) -> None:
    """Make sample data sets; what is there already and current stays as it is.

    A kind is built in a temporary folder and moved to its place when complete.

    Args:
        root: The folder that gets one folder a kind, ``data/samples`` in our configs.
        kinds: Which to make, names of :data:`VERSIONS`.
        notify: Called with each kind's name before it is made.

    Raises:
        UserError: If a kind is unknown or the root cannot be written.
    """
    root = Path(root)
    kinds = list(kinds)
    check_kinds(kinds)
    for kind in kinds:
        if notify is not None:
            notify(kind)
        if not is_current(root, kind):
            _make_one(root, kind)


def check_kinds(kinds: Iterable[str]) -> None:
    """Raise UserError if one of the names is no kind of sample data."""
    for kind in kinds:
        if kind not in VERSIONS:
            raise UserError(f"there is no sample data of kind {kind!r}; kinds: {', '.join(ALL)}")


def is_current(root: str | Path, kind: str) -> bool:
    """Whether the folder of a kind is there, complete and of this version."""
    stamp = Path(root) / kind / _STAMP
    return stamp.is_file() and stamp.read_text().strip() == str(VERSIONS[kind])


def ensure(config: Config, dataloaders: Iterable[str] = _DATALOADERS) -> None:
    """Make the sample data that a config names, if it is missing.

    A ``data_root`` of the form ``.../samples/KIND[/...]`` names sample data. A folder of
    that name that this package did not make is left alone.

    Args:
        config: Whose data loaders are searched for ``data_root``.
        dataloaders: The keys of the config to look in.

    Raises:
        UserError: If a folder that is not sample data does not exist.
    """
    for path in _data_roots([config.get(key) for key in dataloaders]):
        root, kind = _sample_of(path)
        if kind is None:
            if not path.exists():
                raise UserError(
                    f"no data at {path}; docs/data.md says how to lay out each data set, "
                    "or set data_root in the config to where it is"
                )
        elif not is_current(root, kind):
            _make_one(root, kind)


def _data_roots(value: Any) -> list[Path]:
    """Every ``data_root`` inside nested dictionaries and lists, once, in order."""
    found: list[Path] = []
    if isinstance(value, dict):
        if value.get("data_root"):
            found.append(Path(value["data_root"]))
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            found.extend(_data_roots(item))
    return list(dict.fromkeys(found))


def _sample_of(path: Path) -> tuple[Path, str | None]:
    """The sample root and the kind that a path lies in; no kind if it is other data."""
    for folder in (path, *path.parents):
        if folder.name in VERSIONS and folder.parent.name == "samples":
            return folder.parent, folder.name
    return path, None


def _make_one(root: Path, kind: str) -> None:
    target = root / kind
    if target.exists() and not (target / _STAMP).is_file():
        return  # Someone's own data in the standard layout.
    try:
        root.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{kind}-", dir=root))
    except OSError as error:
        raise UserError(f"cannot write sample data to {root}: {error.strerror}") from error
    try:
        _builder(kind)(work)
        (work / _STAMP).write_text(f"{VERSIONS[kind]}\n")
        work.chmod(0o755)
        _move_into_place(work, target)
    except OSError as error:
        raise UserError(f"cannot write sample data to {root}: {error.strerror}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _move_into_place(work: Path, target: Path) -> None:
    if target.exists():
        outdated = Path(tempfile.mkdtemp(prefix=".outdated-", dir=target.parent))
        target.rename(outdated / target.name)
        shutil.rmtree(outdated)
    try:
        work.rename(target)
    except OSError:
        # Another process (a second rank) made the same data and was first.
        if not is_current(target.parent, target.name):
            raise


def _builder(kind: str) -> Callable[[Path], None]:
    from mmsuper.data.samples import recognition, restoration, text

    return {
        "sr": restoration.make_sr,
        "classification": recognition.make_classification,
        "coco": recognition.make_coco,
        "segmentation": recognition.make_segmentation,
        "clips": restoration.make_clips,
        "text": text.make_text,
    }[kind]
