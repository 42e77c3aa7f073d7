"""What is measured on a toy model: risks, sink, drain and peak; and what is taken out of it.

Everything works by forward hooks that are there only while something is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from mmsuper.projects.active_dormant.network import ReducedModel, ToyTransformer
from mmsuper.projects.active_dormant.task import Task

Network = ToyTransformer | ReducedModel
Part = Literal["attention", "ff", "layer"]


@dataclass
class Layer:
    """What one layer computed for a batch.

    Attributes:
        scores: (B, H, query, key) attention logits, minus infinity in the future.
        weights: (B, H, query, key) attention weights.
        values: (B, H, L, C) values.
        outputs: (B, H, L, D) values after their head's part of the output projection.
        residual: (B, L, D) output of the block; the reduced model has none.
    """

    scores: Tensor = field(default_factory=lambda: torch.empty(0))
    weights: Tensor = field(default_factory=lambda: torch.empty(0))
    values: Tensor = field(default_factory=lambda: torch.empty(0))
    outputs: Tensor = field(default_factory=lambda: torch.empty(0))
    residual: Tensor | None = None


@contextmanager
def hooks(*pairs: tuple[nn.Module, Callable[..., Any]]) -> Iterator[None]:
    """Forward hooks for the time of a block."""
    handles = [module.register_forward_hook(hook) for module, hook in pairs]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@torch.no_grad()
def record(network: Network, tokens: Tensor) -> tuple[Tensor, dict[int, Layer]]:
    """Run a batch and keep what its layers compute.

    Args:
        network: A toy model.
        tokens: (B, L) its inputs.

    Returns:
        Logits (B, L, V), and the layers by number; those without attention are left out of
        nothing but attention.
    """
    found: dict[int, Layer] = {i: Layer() for i in range(len(network.layers))}
    pairs: list[tuple[nn.Module, Callable[..., Any]]] = []
    for i, block in enumerate(network.layers):
        pairs += _watch(block, found[i])
    with hooks(*pairs):
        logits = network(tokens)
    return logits, found


def _watch(block: nn.Module, layer: Layer) -> list[tuple[nn.Module, Callable[..., Any]]]:
    attention = block.attention

    def keep(name: str) -> Callable[..., Any]:
        return lambda module, inputs, out: setattr(layer, name, _with_heads(out))

    def keep_values(module: Any, inputs: tuple[Tensor], out: Tensor) -> None:
        if hasattr(module, "values"):  # the reduced model's, whose output is the value itself
            layer.values = layer.outputs = module.values(inputs[0])[:, None]
        else:
            layer.values = module.split(module.wv(inputs[0]))
            layer.outputs = _projected(layer.values, module.wo)

    def keep_residual(module: Any, inputs: tuple[Tensor], out: Tensor) -> None:
        layer.residual = out

    return [
        (attention.scores, keep("scores")),
        (attention.weights, keep("weights")),
        (attention, keep_values),
        (block, keep_residual),
    ]


def _with_heads(maps: Tensor) -> Tensor:
    return maps if maps.ndim == 4 else maps[:, None]


def _projected(values: Tensor, wo: nn.Module) -> Tensor:
    """Each head's values (B, H, L, C) through its columns of the output projection."""
    if not isinstance(wo, nn.Linear):
        return values
    return torch.einsum("bhlc,dhc->bhld", values, wo.weight.unflatten(1, (values.shape[1], -1)))


@contextmanager
def without(network: Network, part: Part, layer: int) -> Iterator[None]:
    """Take a part out of a layer, or the whole layer; residuals stay."""
    block = network.layers[layer]
    module = block if part == "layer" else getattr(block, part)

    def instead(module: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> Tensor:
        return inputs[0] if part == "layer" else torch.zeros_like(out)

    with hooks(*[(module, instead)] if module is not None else []):
        yield


@contextmanager
def clean_attention(network: Network, layer: int, triggered: Tensor) -> Iterator[None]:
    """Put a layer's attention where the theory says: on the token before, or on ``<s>``.

    Args:
        network: A toy model.
        layer: Which layer.
        triggered: (B, L) whether a query is a trigger's.
    """
    length = triggered.shape[1]
    before = torch.arange(length, device=triggered.device).sub(1).clamp_min(0)
    clean = nn.functional.one_hot(before * triggered, length)

    def replace(module: Any, inputs: tuple[Tensor], out: Tensor) -> Tensor:
        return (clean if out.ndim == 3 else clean[:, None]).to(out.dtype).expand_as(out)

    with hooks((network.layers[layer].attention.weights, replace)):
        yield


# ------------------------------------------------------------------------------------------
# Numbers


@dataclass(frozen=True)
class Risk:
    """Mean cross entropy against the true law, after triggers and elsewhere, in nats.

    Attributes:
        backcopy: Sum over positions after triggers.
        bigram: Sum over the others.
        backcopy_oracle: As the first, of the entropy of the law itself.
        bigram_oracle: As the second.
        triggered: How many positions the first is over.
        others: How many positions the second is over.
        first: Of the second, the excess of first positions over the law's entropy. They are
            judged by the unigram law, although most kinds never begin with a trigger.
        firsts: How many of the others are first positions.
    """

    backcopy: float
    bigram: float
    backcopy_oracle: float
    bigram_oracle: float
    triggered: int
    others: int
    first: float
    firsts: int

    @classmethod
    def of(cls, logits: Tensor, law: Tensor, triggered: Tensor) -> Risk:
        """Of logits (B, L, V), for the law (B, L, V) and triggers (B, L)."""
        cross = -(law * logits.to(law.dtype).log_softmax(-1)).sum(-1)
        entropy = torch.special.entr(law).sum(-1)
        sums = [float(x[mask].sum()) for x in (cross, entropy) for mask in (triggered, ~triggered)]
        count, ordinary = int(triggered.sum()), ~triggered[:, 0]
        first = float((cross - entropy)[:, 0][ordinary].sum())
        return cls(*sums, count, triggered.numel() - count, first, int(ordinary.sum()))

    def __add__(self, other: Risk) -> Risk:
        """Over the positions of both."""
        ours, theirs = vars(self).values(), vars(other).values()
        return Risk(*(a + b for a, b in zip(ours, theirs, strict=True)))

    def means(self) -> dict[str, float]:
        """``backcopy``, ``bigram`` and their ``_excess`` over the law's own entropy.

        ``bigram_excess_after_first`` leaves first positions out. Where there are no triggers,
        there is no ``backcopy``.
        """
        found: dict[str, float] = {}
        for name, count in (("backcopy", self.triggered), ("bigram", self.others)):
            if count:
                risk, oracle = getattr(self, name), getattr(self, f"{name}_oracle")
                found |= {name: risk / count, f"{name}_excess": (risk - oracle) / count}
        if self.others > self.firsts:
            excess = self.bigram - self.bigram_oracle - self.first
            found["bigram_excess_after_first"] = excess / (self.others - self.firsts)
        return found


def sink_attention(weights: Tensor, triggered: Tensor) -> Tensor:
    """Mean weight on position 0 of the queries that are no triggers': (H,)."""
    return weights[..., 0].transpose(1, 2)[~triggered].mean(0)


def back_attention(weights: Tensor, triggered: Tensor) -> Tensor:
    """Mean weight of triggers' queries on the token before them: (H,)."""
    before = weights.diagonal(-1, -2, -1)  # (B, H, L - 1)
    return before.transpose(1, 2)[triggered[:, 1:]].mean(0)


def sink_gap(scores: Tensor, tokens: Tensor, head: int = 0) -> tuple[Tensor, Tensor]:
    """Logit on ``<s>`` less the mean one on what lies between it and the query.

    Args:
        scores: (B, H, query, key), minus infinity in the future.
        tokens: (B, L).
        head: Which head.

    Returns:
        The distinct tokens, and the gap averaged over each one's occurrences; not a number
        where a token never has anything between.
    """
    scores = scores[:, head].double()
    length = scores.shape[-1]
    between = torch.ones(length, length, dtype=torch.bool, device=scores.device).tril(-1)
    between[:, 0] = False
    mean = scores.masked_fill(~between, 0).sum(-1) / between.sum(-1)  # 0/0 for the first two
    gap = scores[..., 0] - mean
    distinct = tokens.unique()
    return distinct, torch.stack([gap[tokens == token].nanmean() for token in distinct])


def logit_spreads(scores: Tensor, triggered: Tensor, head: int = 0) -> tuple[float, float]:
    """Standard deviations of the logits of queries that are no triggers'.

    Args:
        scores: (B, H, query, key), minus infinity in the future.
        triggered: (B, L).
        head: Which head.

    Returns:
        Of the logits on position 0, and of those on the other keys that a query sees.
    """
    asking = scores[:, head].double()[~triggered]
    on_others = asking[:, 1:]
    return float(asking[:, 0].std()), float(on_others[on_others.isfinite()].std())


def summary(network: Network, task: Task, tokens: Tensor, triggered: Tensor) -> dict[str, Any]:
    """All numbers of a toy model on a batch, as plain data.

    Args:
        network: A toy model.
        task: The law of the sequences.
        tokens: (B, L + 1) sequences.
        triggered: (B, L) whether an input is a trigger.

    Returns:
        The risks, and ``layers``: a list with one dict a layer. Sinks are of head 0; norms
        are means over sequences, those of values after the output projection.
    """
    inputs = tokens[:, :-1]
    logits, layers = record(network, inputs)
    risks = Risk.of(logits, task.law(tokens), triggered).means()
    described = [_describe(layer, task, inputs, triggered) for layer in layers.values()]
    return {**risks, "layers": described}


def _describe(layer: Layer, task: Task, inputs: Tensor, triggered: Tensor) -> dict[str, float]:
    found: dict[str, float] = {}
    newlines = inputs == 0  # the first of the sorted characters, in a text that has lines
    others = ~triggered
    others[:, 0] = False
    if layer.weights.numel():
        found["sink_attention"] = float(sink_attention(layer.weights, triggered)[0])
        found["newline_attention"] = float(_mass(layer.weights, newlines, triggered))
        if triggered.any():
            found["back_attention"] = float(back_attention(layer.weights, triggered)[0])
        distinct, gaps = sink_gap(layer.scores, inputs)
        ordinary = [t < task.characters and not task.is_trigger[t] for t in distinct.tolist()]
        gaps = gaps[torch.tensor(ordinary, device=gaps.device)]
        gaps = gaps[~gaps.isnan()]
        quantiles = gaps.quantile(torch.tensor([0.1, 0.9], dtype=gaps.dtype, device=gaps.device))
        found["sink_gap"] = float(gaps.mean())
        found["sink_gap_q10"], found["sink_gap_q90"] = quantiles.tolist()
        spreads = logit_spreads(layer.scores, triggered)
        found["logit_spread_sink"], found["logit_spread_others"] = spreads
        norms = layer.outputs[:, 0].norm(dim=-1)
        found["value_norm_sink"] = float(norms[:, 0].mean())
        found["value_norm_others"] = float(norms[others].mean())
        if triggered.any():
            found["value_norm_triggers"] = float(norms[triggered].mean())
        if newlines.any():
            found["value_norm_newline"] = float(norms[newlines].mean())
    if layer.residual is not None:
        norms = layer.residual.norm(dim=-1)
        found["residual_norm_sink"] = float(norms[:, 0].mean())
        found["residual_norm_others"] = float(norms[:, 1:].mean())
        if triggered.any():
            found["residual_norm_triggers"] = float(norms[triggered].mean())
        found["residual_peak"] = found["residual_norm_sink"] - found["residual_norm_others"]
    return found


def _mass(weights: Tensor, keys: Tensor, triggered: Tensor) -> Tensor:
    """Mean weight of head 0 on all keys of a kind, (B, L), of queries that are no triggers'."""
    return torch.einsum("bqk,bk->bq", weights[:, 0], keys.to(weights.dtype))[~triggered].mean()


def interventions(
    network: Network, task: Task, tokens: Tensor, triggered: Tensor
) -> dict[str, dict[str, Any]]:
    """What :func:`summary` finds with parts taken out or made clean, by what is done."""
    found = {}
    for i, block in enumerate(network.layers):
        parts: tuple[Part, ...] = ("attention", "ff", "layer")
        for part in parts if isinstance(network, ToyTransformer) else parts[:2]:
            if getattr(block, part, block) is not None:
                name = f"layer {i} without {part}" if part != "layer" else f"no layer {i}"
                with without(network, part, i):
                    found[name] = summary(network, task, tokens, triggered)
        with clean_attention(network, i, triggered):
            found[f"layer {i} with clean attention"] = summary(network, task, tokens, triggered)
    return found
