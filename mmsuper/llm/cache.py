"""Files that are made once, read many times, and made again if damaged."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from mmsuper.errors import UserError
from mmsuper.files import write_bytes

_DIGEST = hashlib.sha256().digest_size


def read_or_make(path: str | Path, make: Callable[[], bytes]) -> np.ndarray:
    """The content of a cached file, which is made if it is missing or damaged.

    The file begins with a check sum of the rest. It is written whole or not at all.

    Args:
        path: The file; its name should say what its content depends on.
        make: Gives the content.

    Returns:
        The content as bytes (uint8), mapped from the disk.
    """
    path = Path(path)
    content = _read(path)
    if content is None:
        made = make()
        write_bytes(path, hashlib.sha256(made).digest() + made)
        content = _read(path)
        assert content is not None
    return content


def _read(path: Path) -> np.ndarray | None:
    if not path.is_file() or path.stat().st_size <= _DIGEST:
        return None
    content = np.memmap(path, dtype=np.uint8, mode="r")
    if hashlib.sha256(content[_DIGEST:].data).digest() != content[:_DIGEST].tobytes():
        return None
    return content[_DIGEST:]


def key(*parts: str | int, files: Iterable[Path] = ()) -> str:
    """A name for what depends on these words and on the content of these files and folders.

    Raises:
        UserError: If a file or a folder is missing.
    """
    digest = hashlib.sha256(repr(parts).encode())
    for file in files:
        for path in _whole(file):
            digest.update(path.stat().st_size.to_bytes(8, "little"))
            with path.open("rb") as stream:
                while block := stream.read(2**20):
                    digest.update(block)
    return digest.hexdigest()[:32]


def _whole(path: Path) -> Iterator[Path]:
    if not path.exists():
        raise UserError(f"no text at {path}; docs/llm.md says what a text can be")
    if path.is_dir():
        yield from sorted(file for file in path.rglob("*") if file.is_file())
    else:
        yield path
