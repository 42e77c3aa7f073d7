"""Mixed precision where MMEngine has none: on processors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from torch import nn

from mmsuper.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """Forward passes in bfloat16 on the processor; it needs no loss scaling."""

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """The context of a training step's forward pass."""
        with super().optim_context(model), torch.autocast("cpu", torch.bfloat16):
            yield
