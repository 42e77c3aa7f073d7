"""Where networks run."""

from __future__ import annotations

import torch

from mmsuper.errors import UserError


def pick_device(name: str) -> torch.device:
    """A device of PyTorch by its name, or the best there is for ``auto``.

    Raises:
        UserError: If this machine or this PyTorch has no such device.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, there in available.items() if there))
    kind = name.partition(":")[0]
    if not available.get(kind, False):
        there = ", ".join(kind for kind in available if available[kind])
        raise UserError(f"there is no device {name!r} here; choose from: auto, {there}")
    return torch.device(name)


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory did not suffice; on the CPU, PyTorch has no error class of its own for it."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(
        error
    )
