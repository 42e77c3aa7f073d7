"""From the files and folders of a command line to pairs of an input and its result's file."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmsuper.data import image_io
from mmsuper.errors import UserError


@dataclass(frozen=True)
class Job:
    """One picture to work on.

    Attributes:
        source: The picture.
        name: Its name among all that are worked on, relative to the folder they came from.
        target: Where its result goes.
        root: The folder for all results.
        truth: What the result should be, or None.
    """

    source: Path
    name: Path
    target: Path
    root: Path
    truth: Path | None = None

    def beside(self, folder: str, ending: str = ".png") -> Path:
        """Where a second result goes: the first one's name in a folder of its own."""
        relative = self.target.relative_to(self.root)
        return self.root / folder / relative.with_name(relative.name.removesuffix(".png") + ending)


def plan(inputs: Sequence[str | Path], out: str | Path, truths: str | Path | None) -> list[Job]:
    """Decide which pictures are read and where each result goes; touches nothing.

    Results keep the names of their inputs, and below a folder its structure. Where that
    would give two results one name, all results go under the path of their input relative
    to the folder that all inputs have in common.

    Args:
        inputs: Pictures, and folders that are searched for pictures.
        out: Folder for the results, or for a single picture a file.
        truths: Folder of true pictures of the same names, or None. A ``x4`` at the end of
            an input's name, or the like, may be missing there.

    Raises:
        UserError: If an input is missing, a folder holds no picture, a result would replace
            an input, or a true picture is missing.
    """
    out = Path(out)
    found = find_pictures([Path(item) for item in inputs], out)
    if out.suffix.lower() in image_io.WRITABLE and not out.is_dir():
        if len(found) > 1 or Path(inputs[0]).is_dir():
            raise UserError(f"{out} is a file's name; name a folder for more than one picture")
        root, names, targets = out.parent, _names(found), [out]
    else:
        root, names = out, _names(found)
        targets = [out / image_io.output_name(name) for name in names]
    _check_inputs_survive([source for source, _ in found], targets)
    find_truth = _finder(Path(truths)) if truths is not None else None
    return [
        Job(source, name, target, root, find_truth and find_truth(source))
        for (source, _), name, target in zip(found, names, targets, strict=True)
    ]


def check_writable(folders: Iterable[Path]) -> None:
    """Make the folders and make sure that files can be written in each.

    Raises:
        UserError: If not.
    """
    for folder in sorted(set(folders)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise UserError(f"cannot write to {folder}: {error.strerror}") from error


def find_pictures(inputs: list[Path], out: Path | None = None) -> list[tuple[Path, Path]]:
    """Pictures of a list of files and folders, each once, with the name of its result.

    Args:
        inputs: Pictures and folders of pictures.
        out: A folder for results, which are no inputs.

    Raises:
        UserError: If an input is missing or a folder holds no picture.
    """
    found: dict[Path, tuple[Path, Path]] = {}
    for item in inputs:
        if item.is_dir():
            inside = [(path, path.relative_to(item)) for path in _pictures_below(item, out)]
            if not inside:
                kinds = " ".join(sorted(image_io.READABLE))
                raise UserError(f"no pictures in {item} (looked for {kinds})")
        elif item.exists():
            inside = [(item, Path(item.name))]
        else:
            raise UserError(f"no file or folder at {item}")
        for path, name in inside:
            found.setdefault(path.resolve(), (path, name))
    return list(found.values())


def _pictures_below(folder: Path, out: Path | None) -> list[Path]:
    """Pictures at any depth, without hidden ones and without earlier results in ``out``."""
    skip = out and out.resolve()
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in image_io.READABLE
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and (folder.resolve() == skip or skip not in path.resolve().parents)
    )


def _names(found: list[tuple[Path, Path]]) -> list[Path]:
    names = [name for _, name in found]
    if len({image_io.output_name(name) for name in names}) == len(names):
        return names
    sources = [source.resolve() for source, _ in found]
    common = Path(os.path.commonpath([source.parent for source in sources]))
    return [source.relative_to(common) for source in sources]


def _check_inputs_survive(sources: list[Path], targets: list[Path]) -> None:
    originals = {source.resolve() for source in sources}
    for target in targets:
        if target.resolve() in originals:
            raise UserError(f"the result would replace the input {target}; choose another folder")
    if len(set(targets)) < len(targets):  # a.gif gives a.gif.png, which may be an input as well
        double = next(target for target in targets if targets.count(target) > 1)
        raise UserError(f"two inputs would give {double}; run them apart")


def _finder(folder: Path) -> Callable[[Path], Path]:
    if not folder.is_dir():
        raise UserError(f"no folder of true pictures at {folder}")
    by_stem = {
        path.stem: path
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in image_io.READABLE
    }

    def find(source: Path) -> Path:
        for stem in (source.stem, re.sub(r"_?x\d$", "", source.stem)):
            if stem in by_stem:
                return by_stem[stem]
        raise UserError(f"{folder} has no picture called {source.stem}")

    return find
