"""The hook that logs sinks, drains and peaks while a toy model is trained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import master_only
from mmengine.hooks import Hook

from mmsuper.engine.hooks import plain_metrics
from mmsuper.engine.runners import bare
from mmsuper.errors import UserError
from mmsuper.files import write_text
from mmsuper.projects.active_dormant import measure
from mmsuper.projects.active_dormant.convert import network_of
from mmsuper.projects.active_dormant.data import sample
from mmsuper.registry import HOOKS

DYNAMICS_FILE = "dynamics.jsonl"


@HOOKS.register_module()
class DynamicsHook(Hook):
    """Measure a toy model at chosen steps and write ``dynamics.jsonl`` in the work dir.

    A line is a JSON object: ``step`` and what :func:`measure.summary` finds on the same
    sequences every time. The line of the last step has ``interventions`` besides: the same
    with each part taken out. At other steps the hook does nothing at all.

    Args:
        interval: Measure every so many steps.
        steps: Steps to measure at besides. Step 0 is before training.
        sequences: How many sequences to measure on.
        seed: Of these.
    """

    def __init__(
        self,
        interval: int = 100,
        steps: Sequence[int] = (0, 20, 50, 200),
        sequences: int = 64,
        seed: Sequence[int] = (42, 27),
    ) -> None:
        self.interval, self.steps = interval, set(steps)
        self.sequences, self.seed = sequences, seed
        self.lines: list[dict[str, Any]] = []

    def before_train(self, runner: Any) -> None:
        """Take over what a resumed run had logged up to its checkpoint; measure step 0."""
        dataset = runner.train_dataloader.dataset
        if "task" not in getattr(dataset, "metainfo", {}):
            raise UserError("DynamicsHook measures toy models, trained on mmsuper.BigramBackcopy")
        self.task = dataset.metainfo["task"]
        size = network_of(bare(runner.model)).vocab_size
        if size != self.task.vocab_size:
            raise UserError(
                f"the data have {self.task.vocab_size} tokens, <s> and the delimiter included, and "
                f"the model {size}; set model.network.vocab_size={self.task.vocab_size}"
            )
        tokens = sample(self.task, dataset.sampler.length, self.sequences, self.seed)
        self.tokens = torch.from_numpy(tokens)
        self.lines = read(runner.work_dir, runner.iter) if runner.iter else []
        if runner.iter == 0 and 0 in self.steps:
            self._measure(runner, 0)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Measure where it is due."""
        step = runner.iter + 1
        if step % self.interval == 0 or step in self.steps or step == runner.max_iters:
            self._measure(runner, step)

    @master_only
    def _measure(self, runner: Any, step: int) -> None:
        network = network_of(bare(runner.model))
        training = network.training
        tokens = self.tokens.to(next(network.parameters()).device)
        triggered = self.task.triggered(tokens[:, :-1])
        network.eval()
        line = {"step": step, **measure.summary(network, self.task, tokens, triggered)}
        if step == runner.max_iters:
            found = measure.interventions(network, self.task, tokens, triggered)
            line["interventions"] = found
        network.train(training)
        self.lines = [one for one in self.lines if one["step"] != step] + [plain_metrics(line)]
        text = "".join(json.dumps(one) + "\n" for one in self.lines)
        write_text(Path(runner.work_dir) / DYNAMICS_FILE, text)


def read(work_dir: str | Path, until: int | None = None) -> list[dict[str, Any]]:
    """The lines that were logged, up to a step.

    Raises:
        UserError: If there are none, or they cannot be read.
    """
    path = Path(work_dir) / DYNAMICS_FILE
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(f"no {path}; train a config of configs/active_dormant first") from None
    except ValueError as error:
        raise UserError(f"{path} is damaged: {error}") from error
    return [line for line in lines if until is None or line["step"] <= until]
