"""Learning rate schedules that MMEngine's cannot express."""

from __future__ import annotations

import math
from typing import Any

from mmengine.optim.scheduler.lr_scheduler import LRSchedulerMixin
from mmengine.optim.scheduler.param_scheduler import _ParamScheduler

from mmsuper.registry import PARAM_SCHEDULERS


@PARAM_SCHEDULERS.register_module()
class LaggingCosineLR(LRSchedulerMixin, _ParamScheduler):
    """Warm-up and cosine by epochs, as scripts descended from DeiT's have them.

    With timm's scheduler, epoch t is meant to be trained with::

        warmup_lr + (lr - warmup_lr) * t / warmup                       if t < warmup
        min_lr + (lr - min_lr) * (1 + cos(pi * t / end)) / 2            otherwise

    The cosine does not begin where the warm-up ends: it has been running since epoch 0.
    These scripts call the scheduler after an epoch with that epoch's number, so that each
    epoch trains with what was meant for the one before it: ``t = max(epoch - 1, 0)``, and
    two epochs with ``warmup_lr``.

    Args:
        optimizer: Wrapped optimizer; its learning rates are the ``lr`` above, and all that
            ``--auto-scale-lr`` scales.
        warmup: Epochs of warm-up.
        warmup_lr: Learning rate that it begins with.
        min_lr: Learning rate at the end of the cosine.
        end: Epochs of the cosine.
        **kwargs: See MMEngine's schedulers.
    """

    def __init__(
        self,
        optimizer: Any,
        warmup: int,
        warmup_lr: float,
        min_lr: float,
        end: int,
        **kwargs: Any,
    ) -> None:
        self.warmup, self.warmup_lr, self.min_lr = warmup, warmup_lr, min_lr
        super().__init__(optimizer, end=end, **kwargs)

    def _get_value(self) -> list[float]:
        return [self._at(max(self.last_step - 1, 0), lr) for lr in self.base_values]

    def _at(self, t: int, lr: float) -> float:
        if t < self.warmup:
            return self.warmup_lr + (lr - self.warmup_lr) * t / self.warmup
        return self.min_lr + (lr - self.min_lr) * (1 + math.cos(math.pi * t / self.end)) / 2
