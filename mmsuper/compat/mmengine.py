"""Two corrections of MMEngine 0.10.12.

1. ``import mmengine.optim`` imports transformers, bitsandbytes and three more packages to
   register their optimisers: about 2 s of the 7 s that ``import mmengine.runner`` takes
   beside transformers 5.17. :func:`light_optim` hides them while it loads.
2. A checkpoint that ``weights_only=True`` refuses is read again without it, which runs
   whatever code the file holds. :func:`refuse_pickles` reads it by
   :func:`mmsuper.checkpoint.read`, which refuses.
"""

from __future__ import annotations

import importlib
import io
import sys
from pathlib import Path
from typing import Any

OPTIMISER_PACKAGES = ("dadaptation", "lion_pytorch", "Sophia", "bitsandbytes", "transformers")


def light_optim(needed: set[str] | frozenset[str] = frozenset()) -> None:
    """Import ``mmengine.optim`` without the packages that only add optimisers to it.

    Args:
        needed: Names of optimisers that the config asks for. If PyTorch has not all of
            them, nothing is hidden.
    """
    if "mmengine.optim" in sys.modules:
        return
    import torch

    if any(not hasattr(torch.optim, name) for name in needed):
        return
    hidden = [name for name in OPTIMISER_PACKAGES if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        importlib.import_module("mmengine.optim")
    finally:
        for name in hidden:
            del sys.modules[name]


def refuse_pickles() -> None:
    """Make MMEngine read checkpoints, from disk or from an address, as plain data only."""
    from mmengine.runner import checkpoint as mmengine_checkpoint

    mmengine_checkpoint._safe_torch_load = _read
    if mmengine_checkpoint.load_url is not _download:
        mmengine_checkpoint.load_url = _download


def _read(file: Any, map_location: Any = None, weights_only: bool | None = None) -> Any:
    """Stands in for MMEngine's ``_safe_torch_load``; ``weights_only`` cannot be turned off."""
    from mmsuper.checkpoint import read

    if isinstance(file, (str, Path)):
        return read(file)
    import torch

    assert isinstance(file, io.IOBase)
    return torch.load(file, map_location=map_location, weights_only=True)


def _download(url: str, **options: Any) -> Any:
    """Stands in for MMEngine's ``load_url``."""
    from torch.hub import load_state_dict_from_url

    return load_state_dict_from_url(url, **{**options, "weights_only": True})
