"""Which host libraries a config needs, and what must be done before they are imported.

Two things here concern configs rather than one package:

1. ``_base_ = 'mmseg::...'`` fails in mmengine 0.10.12: it looks for a distribution called
   ``mmsegmentation``, and the maintained one is called ``onedl-mmsegmentation``. mmengine
   falls back to the module of that name when no distribution has it, so the name of the
   module works whichever is installed.
2. ``_base_ = 'mmsuper::...'`` is unknown to mmengine, which would also look below
   ``mmsuper/.mim``, absent from a checkout that nobody installed, and would mark every
   inherited dict with the scope ``mmsuper``, where the host's classes are not found. Our
   configs name their ``default_scope`` themselves, so they are inherited unmarked.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsuper.errors import UserError
from mmsuper.paths import payload_root

if TYPE_CHECKING:
    from mmengine.config import Config

HOSTS = ("mmagic", "mmdet", "mmpretrain", "mmseg")


def resolve_config_names() -> None:
    """Make ``mmseg::`` and ``mmsuper::`` valid in ``_base_``; a second call does nothing."""
    from mmengine.config import Config
    from mmengine.config.utils import MODULE2PACKAGE

    if "mmsuper" in MODULE2PACKAGE:
        return
    MODULE2PACKAGE.update(mmseg="mmseg", mmsuper="mmsuper")
    foreign = Config._get_cfg_path
    # For each name MMEngine reads every metafile of the library, for up to a second.
    in_library = functools.cache(lambda name: foreign(name, ""))

    def get_path(name: str, filename: str) -> tuple[str, str | None]:
        package, separator, below = name.partition("::")
        if separator and package == "mmsuper":
            path = payload_root() / "configs" / below
            if not path.is_file():
                raise UserError(f"{filename}: no config {name}; see `python -m mmsuper list`")
            return str(path), None
        return in_library(name) if separator else foreign(name, filename)

    Config._get_cfg_path = staticmethod(get_path)


def prepare(config: Config) -> None:
    """Apply the shims of the libraries that a config names; import none that it does not.

    Raises:
        UserError: If the config names a library that is not installed.
    """
    types = set(named_types(config.to_dict(), config.get("default_scope")))
    libraries = {library for library, _ in types} | {config.get("default_scope")}
    try:
        # mmdet's models and mmseg's data sets import mmpretrain where it is installed.
        if libraries & {"mmpretrain", "mmdet", "mmseg"} and importlib.util.find_spec("mmpretrain"):
            from mmsuper.compat import mmpretrain

            mmpretrain.apply()
        if "mmagic" in libraries:
            from mmsuper.compat import mmagic

            mmagic.apply()
            for library, name in sorted(types):
                if library == "mmagic":
                    mmagic.load_editor(name)
    except ModuleNotFoundError as error:
        raise UserError(
            f"the config needs {error.name}, which is not installed; `python -m mmsuper doctor` "
            "says how to get it"
        ) from error


def named_types(node: Any, scope: str | None) -> Iterator[tuple[str, str]]:
    """``(library, name)`` of every ``type`` that is a string, in a nest of dicts and lists.

    The library is the prefix of the name where it has one, else the ``_scope_`` of the
    nearest dict around it, else ``scope``, else "".
    """
    if isinstance(node, dict):
        scope = node.get("_scope_", scope)
        if isinstance(node.get("type"), str):
            prefix, _, name = node["type"].rpartition(".")
            yield prefix.partition(".")[0] or scope or "", name
        for value in node.values():
            yield from named_types(value, scope)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from named_types(value, scope)


def library_of(names: Iterable[str]) -> str | None:
    """The host library that defines the most of these data set and transform classes.

    They are looked for in the libraries' source, so nothing is imported.
    """
    counts = {library: len(set(names) & _data_classes(library)) for library in HOSTS}
    best = max(counts, key=lambda library: counts[library])
    return best if counts[best] else None


@functools.cache
def _data_classes(library: str) -> frozenset[str]:
    spec = importlib.util.find_spec(library)
    roots = (spec.submodule_search_locations or []) if spec else []
    files = [file for root in roots for file in Path(root, "datasets").rglob("*.py")]
    texts = (file.read_text(encoding="utf-8") for file in files)
    return frozenset(name for text in texts for name in re.findall(r"(?m)^class (\w+)", text))
