"""Two corrections of MMEngine 0.10.12.

1. ``import mmengine.optim`` imports transformers, bitsandbytes and three more packages to
   register their optimisers: about 2 s of the 7 s that ``import mmengine.runner`` takes
   beside transformers 5.17. :func:`light_optim` hides them while it loads, and
   :func:`full_optim` brings them back for a config that needs them.
2. A checkpoint that ``weights_only=True`` refuses is read again without it, which runs
   whatever code the file holds. :func:`refuse_pickles` reads it by
   :func:`mmsuper.checkpoint.read`, which refuses.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# What registers the optimisers of each package, in mmengine.optim.optimizer.builder.
OPTIMISERS = {
    "dadaptation": "register_dadaptation_optimizers",
    "lion_pytorch": "register_lion_optimizers",
    "Sophia": "register_sophia_optimizers",
    "bitsandbytes": "register_bitsandbytes_optimizers",
    "transformers": "register_transformers_optimizers",
}
_hidden: list[str] = []


def light_optim() -> None:
    """Import ``mmengine.optim`` without the packages that only add optimisers to it."""
    if "mmengine.optim" in sys.modules:
        return
    _hidden.extend(name for name in OPTIMISERS if name not in sys.modules)
    for name in _hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        importlib.import_module("mmengine.optim")
    finally:
        for name in _hidden:
            del sys.modules[name]


def full_optim(optim_wrapper: Any) -> None:
    """Register the other packages' optimisers after all, if a config asks for one of them.

    Args:
        optim_wrapper: The config's key of this name.
    """
    from mmengine.optim.optimizer import builder

    wanted = set(_optimisers(optim_wrapper))
    if _hidden and any(builder.OPTIMIZERS.get(name) is None for name in wanted):
        while _hidden:
            getattr(builder, OPTIMISERS[_hidden.pop()])()


def _optimisers(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        optimiser = node.get("optimizer")
        if isinstance(optimiser, dict) and isinstance(optimiser.get("type"), str):
            yield optimiser["type"]
        for value in node.values():
            yield from _optimisers(value)


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

    return torch.load(file, map_location=map_location, weights_only=True)


def _download(url: str, **options: Any) -> Any:
    """Stands in for MMEngine's ``load_url``."""
    from torch.hub import load_state_dict_from_url

    return load_state_dict_from_url(url, **{**options, "weights_only": True})
