"""Sample text: English documentation and Python source of the standard library."""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from mmsuper.errors import UserError

_LIMIT = 5_000_000
# Foreign code, generated tables and what differs between systems.
_SKIPPED = {
    "site-packages",
    "dist-packages",
    "test",
    "tests",
    "idle_test",
    "lib2to3",
    "pydoc_data",
    "encodings",
    "ensurepip",
    "__pycache__",
    "turtledemo",
}
_PER_SYSTEM = ("config-", "_sysconfigdata")


def make_text(folder: Path) -> None:
    """Write ``{prose,code}/{train,val}.txt``, UTF-8, at most 5 MB each.

    ``code`` is the source files of the standard library. ``prose`` is the pages of
    ``help()`` and the documentation strings of the same files, without signatures. A source
    file belongs to one split in both domains, so nothing that is measured was trained on.
    """
    code: dict[str, list[str]] = {"train": [], "val": []}
    prose: dict[str, list[str]] = {"train": [], "val": []}
    for index, text in enumerate(_help_pages()):
        prose["val" if index % 10 == 0 else "train"].append(text)
    for index, text in enumerate(_source_files()):
        split = "val" if index % 10 == 0 else "train"
        code[split].append(text)
        prose[split].extend(_docstrings(text))
    for domain, documents in (("prose", prose), ("code", code)):
        (folder / domain).mkdir()
        for split, texts in documents.items():
            (folder / domain / f"{split}.txt").write_bytes(_join(texts))


def _help_pages() -> list[str]:
    from pydoc_data.topics import topics

    return [text.strip() for _, text in sorted(topics.items())]


def _source_files() -> Iterator[str]:
    root = Path(sysconfig.get_path("stdlib"))
    paths = [
        path
        for path in sorted(root.rglob("*.py"))
        if not any(part in _SKIPPED for part in path.relative_to(root).parts)
        and not any(part.startswith(_PER_SYSTEM) for part in path.relative_to(root).parts)
    ]
    if not paths:
        raise UserError(f"sample text needs the sources of the standard library, none in {root}")
    for path in paths:
        text = path.read_text(encoding="utf-8", errors="replace").strip()
        if text:
            yield text


def _docstrings(source: str) -> list[str]:
    """The documentation strings of at least two lines."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, documented)]
    texts = [(ast.get_docstring(node) or "").strip() for node in nodes]
    return [text for text in texts if "\n" in text]


def _join(texts: list[str]) -> bytes:
    """The texts with an empty line between, whole ones only, within the limit."""
    kept, size = [], 0
    for text in texts:
        encoded = text.encode() + b"\n\n"
        if size + len(encoded) <= _LIMIT:
            kept.append(encoded)
            size += len(encoded)
    return b"".join(kept)
