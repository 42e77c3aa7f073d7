"""The toy models as models of MMEngine: what they are trained and judged by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.evaluator import BaseMetric
from mmengine.model import BaseModel
from torch import Tensor

from mmsuper.projects.active_dormant.measure import Risk
from mmsuper.registry import METRICS, MODELS


def split_loss(logits: Tensor, targets: Tensor, triggered: Tensor) -> dict[str, Tensor]:
    """Mean cross entropy of the next token: over all positions, after triggers, elsewhere.

    Args:
        logits: (B, L, V).
        targets: (B, L).
        triggered: (B, L) whether the input is a trigger.

    Returns:
        ``loss``, ``backcopy`` and ``bigram``; one is not a number if it has no positions.
    """
    each = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    after = triggered.flatten().to(each.dtype)
    sums = torch.stack([each @ after, each @ (1 - after)]).detach()
    backcopy, bigram = sums / torch.stack([after.sum(), (1 - after).sum()])
    return {"loss": each.mean(), "backcopy": backcopy, "bigram": bigram}


@MODELS.register_module()
class NextToken(BaseModel):
    """Trains a network to predict the next token.

    Args:
        network: Config of a network that takes tokens (B, L) and gives logits (B, L, V).
        data_preprocessor: MMEngine's.
    """

    def __init__(self, network: dict, data_preprocessor: dict | None = None) -> None:
        super().__init__(data_preprocessor)
        self.network = MODELS.build(network)

    def forward(
        self, inputs: Sequence[Tensor], triggered: Sequence[Tensor], mode: str = "tensor"
    ) -> Any:
        """Losses, logits, or what the metric takes.

        Args:
            inputs: Batches (B, L + 1) of sequences, which are joined.
            triggered: Batches (B, L).
            mode: MMEngine's ``loss``, ``tensor`` or ``predict``.
        """
        tokens = torch.cat([*inputs])
        logits = self.network(tokens[:, :-1])
        if mode == "loss":
            return split_loss(logits, tokens[:, 1:], torch.cat([*triggered]))
        return logits if mode == "tensor" else [{"logits": logits}]


@METRICS.register_module()
class BackcopyRisk(BaseMetric):
    """Risks against the true law of the task.

    ``backcopy`` and ``bigram`` are mean cross entropies after triggers and elsewhere, in
    nats, ``..._excess`` what they are above the law's own entropy. The first position is
    judged by the unigram law although the data never begin with a trigger; what the bigram
    excess is without it is ``bigram_excess_after_first``.
    """

    default_prefix = ""

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Measure one batch."""
        task = self.dataset_meta["task"]
        tokens, triggered = (torch.cat([*data_batch[key]]) for key in ("inputs", "triggered"))
        logits = data_samples[0]["logits"].cpu()
        self.results.append(Risk.of(logits, task.law(tokens), triggered))

    def compute_metrics(self, results: list[Risk]) -> dict[str, float]:
        """Means over all positions."""
        return sum(results[1:], results[0]).means()
