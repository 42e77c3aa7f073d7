"""Metrics of language models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from mmengine.evaluator import BaseMetric

from mmsuper.registry import METRICS


@METRICS.register_module()
class Perplexity(BaseMetric):
    """Perplexity of each text and of all, by the windows of :class:`mmsuper.llm.TextWindows`.

    The protocol is that of :mod:`mmsuper.llm.perplexity`. ``bits_per_byte`` compares models
    with different tokenizers: bits a scored token times tokens a byte of the whole text.

    Args:
        prefix: Put before the metrics' names.
        collect_device: Where results of several processes are gathered.
    """

    def __init__(self, prefix: str | None = None, collect_device: str = "cpu") -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep the sums of each window."""
        self.results += [(s["text"], s["nll"], s["tokens"]) for s in data_samples]

    def compute_metrics(self, results: list[tuple[str, float, int]]) -> dict[str, float]:
        """``perplexity`` and ``bits_per_byte``, also by text if there are several."""
        texts = self.dataset_meta["texts"]
        nll, tokens = dict.fromkeys(texts, 0.0), dict.fromkeys(texts, 0)
        for name, one, count in results:
            nll[name] += one
            tokens[name] += count
        names = [[name] for name in texts] if len(texts) > 1 else []
        metrics = {}
        for group in [*names, list(texts)]:
            prefix = f"{group[0]}/" if group in names else ""
            mean = sum(nll[n] for n in group) / max(1, sum(tokens[n] for n in group))
            metrics[f"{prefix}perplexity"] = math.exp(mean)
            # The nats of each text, if its few unscored tokens had the mean of the others.
            nats = sum(nll[n] / max(1, tokens[n]) * texts[n]["tokens"] for n in group)
            size = sum(texts[n]["bytes"] for n in group)
            metrics[f"{prefix}bits_per_byte"] = nats / size / math.log(2)
        return metrics
