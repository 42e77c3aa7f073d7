"""Make the part of mmagic 1.2.0 that we use importable beside current packages.

mmagic has had no release since 2023. Three things stop ``import mmagic.models``, and a
fourth makes it slow:

1. It asserts ``mmcv < 2.2``; what it uses of mmcv has not changed since, so the version
   reads as an older one while mmagic's own ``__init__`` runs.
2. ``mmagic.utils`` names ``numpy.bool8``, an alias that NumPy 2 removed.
3. ``mmagic.models.editors`` imports some sixty algorithms, two of which need modules that
   diffusers no longer has. A stand-in package loads an editor when it is named.
4. For parts that none of our projects use it imports mmdet, diffusers and transformers,
   half of the time a command takes to start. It finds mmdet and transformers missing, which
   it allows for, and an empty diffusers, of which it registers nothing.
   ``AttentionInjection``, a class of its diffusion editors, is left out.

Tried with mmcv 2.3.6, numpy 2.2.6, diffusers 0.42.1.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

_EDITORS = "mmagic.models.editors"
_LEFT_OUT = "mmagic.models.archs.attention_injection"
# What mmagic is to find missing.
_MISSING = ("mmdet", "transformers")


class _Empty:
    """Stands in for diffusers: its sub-packages are there and list nothing."""

    def __getattr__(self, name: str) -> _Empty:
        return self

    def __dir__(self) -> list[str]:
        return []


def apply() -> None:
    """Prepare ``import mmagic``; call it before anything imports mmagic."""
    if _EDITORS in sys.modules:
        return
    import mmcv
    import numpy as np

    if not hasattr(np, "bool8"):
        np.bool8 = np.bool_  # type: ignore[attr-defined]
    version = mmcv.__version__
    mmcv.__version__ = "2.1.0"
    try:
        importlib.import_module("mmagic")
    finally:
        mmcv.__version__ = version
    sys.modules[_EDITORS] = _lazy_editors()
    _hide_unused()


def load_editor(name: str) -> bool:
    """Import the editor sub-package that defines class ``name``, which registers it.

    Returns:
        Whether mmagic has an editor class of that name.
    """
    apply()
    folder = _editor_folders().get(name)
    if folder is not None:
        # The editors and the losses import each other; only this order ends well.
        importlib.import_module("mmagic.models.losses")
        importlib.import_module(f"{_EDITORS}.{folder}")
    return folder is not None


def _hide_unused() -> None:
    utils = importlib.import_module("mmagic.utils")
    find = utils.try_import

    def try_import(name: str) -> Any:
        if name == "diffusers":
            return _Empty()
        return None if name.partition(".")[0] in _MISSING else find(name)

    utils.try_import = try_import  # type: ignore[attr-defined]
    left_out = types.ModuleType(_LEFT_OUT, "Left out: see mmsuper.compat.mmagic.")
    left_out.AttentionInjection = None  # type: ignore[attr-defined]
    sys.modules[_LEFT_OUT] = left_out


def _editors_path() -> Path:
    spec = importlib.util.find_spec("mmagic")
    assert spec is not None and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "models" / "editors"


@functools.cache
def _editor_folders() -> dict[str, str]:
    """``{class name: editor folder}``, read from the package's own import lines."""
    tree = ast.parse((_editors_path() / "__init__.py").read_text())
    return {
        alias.name: node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def _lazy_editors() -> types.ModuleType:
    module = types.ModuleType(_EDITORS, "Stand-in that imports an editor when it is named.")
    module.__path__ = [str(_editors_path())]  # type: ignore[attr-defined]
    module.__package__ = _EDITORS

    def __getattr__(name: str) -> Any:
        folder = _editor_folders().get(name)
        if folder is None:
            raise AttributeError(f"module {_EDITORS!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{_EDITORS}.{folder}"), name)

    module.__getattr__ = __getattr__  # type: ignore[method-assign]
    return module
