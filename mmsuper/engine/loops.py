"""Loops over several validation or test sets that return their metrics."""

from __future__ import annotations

from typing import Any

from mmengine.runner import TestLoop, ValLoop
from mmengine.runner.base_loop import BaseLoop

from mmsuper.errors import UserError
from mmsuper.registry import LOOPS


class _MultiLoop(BaseLoop):
    """One loop after another, each over one data loader with one evaluator.

    Args:
        runner: The runner.
        dataloader: List of data loaders or of their configs.
        evaluator: As many evaluators; the metrics of each set need a ``prefix`` of their
            own, such as the set's name.
        fp16: Whether to compute in half precision.
    """

    loop: type[ValLoop] | type[TestLoop]
    stage: str

    def __init__(self, runner: Any, dataloader: list, evaluator: list, fp16: bool = False) -> None:
        if not isinstance(dataloader, list) or len(dataloader) != len(evaluator):
            raise UserError(
                f"{type(self).__name__} takes a list of data loaders and as many evaluators"
            )
        self._runner = runner
        self.loops = [
            self.loop(runner, one, metrics, fp16)
            for one, metrics in zip(dataloader, evaluator, strict=True)
        ]
        self.dataloader = _Lengths([loop.dataloader for loop in self.loops])
        self.evaluator = self.loops[0].evaluator

    def run(self) -> dict[str, Any]:
        """Run all and return their metrics in one dict."""
        self.runner.call_hook(f"before_{self.stage}")
        self.runner.call_hook(f"before_{self.stage}_epoch")
        self.runner.model.eval()
        merged: dict[str, Any] = {}
        count = 0
        for loop in self.loops:
            for batch in loop.dataloader:
                loop.run_iter(count, batch)
                count += 1
            metrics = loop.evaluator.evaluate(len(loop.dataloader.dataset))
            twice = merged.keys() & metrics.keys()
            if twice:
                raise UserError(
                    f"two sets give a metric {min(twice)!r}; give the metrics of each set a "
                    "prefix of their own"
                )
            merged.update(metrics)
        self.runner.call_hook(f"after_{self.stage}_epoch", metrics=merged)
        self.runner.call_hook(f"after_{self.stage}")
        return merged


class _Lengths:
    """What hooks ask of a loop's data loader: its length, here of all together."""

    def __init__(self, dataloaders: list) -> None:
        self.dataset = dataloaders[0].dataset
        self.length = sum(len(dataloader) for dataloader in dataloaders)

    def __len__(self) -> int:
        return self.length


@LOOPS.register_module()
class MultiValLoop(_MultiLoop):
    """Validation over several sets."""

    loop = ValLoop
    stage = "val"


@LOOPS.register_module()
class MultiTestLoop(_MultiLoop):
    """Test over several sets, such as Set5, Set14 and B100 in one go."""

    loop = TestLoop
    stage = "test"
