"""How good drafts are: perplexity by a second model, variety, exact answers, time.

The functions measure token ids; the registered metrics do so for every decoder that
:class:`mmsuper.DraftComparison` ran on a data set. Drafts count in the order of their rank.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from mmengine.evaluator import BaseMetric

from mmsuper.errors import UserError
from mmsuper.registry import METRICS

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Ids = Sequence[int]


def perplexities(model: PreTrainedModel, prompt: Ids, drafts: Sequence[Ids]) -> list[float]:
    """Perplexity of each draft after its prompt.

    ``exp`` of the mean of ``-log p(token | prompt and tokens before)`` over a draft's tokens.

    Args:
        model: What scores; its tokens must mean what they mean in the drafts.
        prompt: Ids that all drafts go on from, at least one.
        drafts: Ids of each, at least one.

    Raises:
        UserError: If the model does not know an id.
    """
    import torch

    from mmsuper.llm.perplexity import token_losses

    rows = [torch.tensor([*prompt, *draft]) for draft in drafts]
    # Filled up at the right, which no earlier token sees.
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    embeddings: Any = model.get_input_embeddings()
    largest, size = int(ids.max()), embeddings.num_embeddings
    if largest >= size:
        raise UserError(
            f"a model with {size} tokens cannot score drafts with token {largest}: "
            "take one with the same tokenizer"
        )
    with torch.inference_mode():
        losses = token_losses(model(ids.to(model.device), use_cache=False).logits, ids)
    begin = len(prompt) - 1
    return [
        float(row[begin : begin + len(draft)].double().mean().exp())
        for row, draft in zip(losses, drafts, strict=True)
    ]


def self_bleu(drafts: Sequence[Ids]) -> float:
    """How alike drafts of one prompt are: mean BLEU of each against the others, 0 to 1.

    N-grams up to four tokens, or up to the shortest draft's length, all of the same weight;
    where none matches, 0.1 counts as matched. A draft that shares no token with the others
    has 0.
    """
    from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

    longest = min(4, *map(len, drafts))
    weights = (1 / longest,) * longest
    smoothing = SmoothingFunction(epsilon=0.1).method1
    scores = []
    for i, draft in enumerate(drafts):
        others = [*drafts[:i], *drafts[i + 1 :]]
        scores.append(sentence_bleu(others, draft, weights, smoothing))
    return float(np.mean(scores))


def distinct(ids: Ids, length: int) -> float:
    """Share of different n-grams among those of a length; not a number if it has none."""
    found = [tuple(ids[i : i + length]) for i in range(len(ids) - length + 1)]
    return len(set(found)) / len(found) if found else math.nan


def answer(text: str) -> str:
    """What of a draft counts as an answer: up to the first comma, period or end of line.

    An end of line before the first word is not one.
    """
    return re.split(r"[,.\n]", text.strip(), maxsplit=1)[0].strip()


def exact_match(texts: Sequence[str], answers: Iterable[str]) -> list[bool]:
    """For j = 1, 2, ... whether one of the first j drafts is one of the right answers."""
    right = set(answers)
    return list(itertools.accumulate((answer(text) in right for text in texts), max))


def _mean(values: Iterable[float]) -> float:
    """Mean of those that are numbers; not a number if none is."""
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


class _DraftMetric(BaseMetric):
    """Means over prompts of numbers that each decoder's drafts of one prompt have.

    Args:
        prefix: Put before the metrics' names.
        collect_device: Where results of several processes are gathered.
    """

    default_prefix = ""

    def __init__(self, prefix: str | None = None, collect_device: str = "cpu") -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)

    def measure(self, sample: dict, decoder: str) -> dict[str, float]:
        """Numbers of one decoder's drafts of one prompt; the same names for every prompt."""
        raise NotImplementedError

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Measure the drafts of some prompts."""
        for sample in data_samples:
            decoders = sample["drafts"]
            self.results.append({name: self.measure(sample, name) for name in decoders})

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """``decoder/metric``; a number that a prompt does not have is left out of its mean."""
        metrics = {}
        for decoder in results[0]:
            names = dict.fromkeys(name for result in results for name in result[decoder])
            for name in names:
                metrics[f"{decoder}/{name}"] = _mean(
                    r[decoder].get(name, math.nan) for r in results
                )
        return metrics


@METRICS.register_module()
class DraftPerplexity(_DraftMetric):
    """Perplexity under a second model: ``perplexity_1`` of the first drafts and so on.

    ``perplexity_best`` is the mean over prompts of the lowest. A prompt with fewer drafts
    than k is left out of the ranks that it lacks.

    Args:
        scorer: Hugging Face folder or name on the hub of a model with the same tokenizer.
        dtype: Of its weights; as they are stored if None.
        device_map: How accelerate spreads it over devices.
        common: See :class:`_DraftMetric`.
    """

    def __init__(
        self,
        scorer: str,
        dtype: str | None = None,
        device_map: str | dict | None = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.scorer, self.dtype, self.device_map = scorer, dtype, device_map

    @cached_property
    def model(self) -> PreTrainedModel:
        """The scorer, loaded when it is first needed."""
        from mmsuper.llm import load_model

        return load_model(self.scorer, self.dtype, device_map=self.device_map)

    def measure(self, sample: dict, decoder: str) -> dict[str, float]:
        """Perplexity of every rank and of the best draft."""
        values = perplexities(self.model, sample["prompt"], sample["drafts"][decoder])
        ranks = {f"perplexity_{rank}": value for rank, value in enumerate(values, 1)}
        return {**ranks, "perplexity_best": min(values)}


@METRICS.register_module()
class DraftVariety(_DraftMetric):
    """How much drafts differ, and repeat themselves.

    ``self_bleu``, see :func:`self_bleu`; ``different``, how many different ones there are;
    ``distinct_1`` to ``distinct_3``, see :func:`distinct`, means over drafts.
    """

    def measure(self, sample: dict, decoder: str) -> dict[str, float]:
        """All three of one prompt."""
        drafts = sample["drafts"][decoder]
        values = {"self_bleu": self_bleu(drafts)} if len(drafts) > 1 else {}
        values["different"] = float(len(set(map(tuple, drafts))))
        for n in (1, 2, 3):
            values[f"distinct_{n}"] = _mean(distinct(ids, n) for ids in drafts)
        return values


@METRICS.register_module()
class DraftLatency(_DraftMetric):
    """``milliseconds`` that all drafts of a prompt took, decoded alone."""

    def measure(self, sample: dict, decoder: str) -> dict[str, float]:
        """Time of one prompt."""
        return {"milliseconds": 1000 * sample["seconds"][decoder]}


@METRICS.register_module()
class DraftExactMatch(_DraftMetric):
    """``P@1``, ``P@2`` ...: percent of questions that one of the first j drafts answers."""

    def measure(self, sample: dict, decoder: str) -> dict[str, float]:
        """Which of the first drafts answer one question."""
        found = exact_match(sample["texts"][decoder], sample["answers"])
        return {f"P@{j}": 100.0 * right for j, right in enumerate(found, 1)}
