"""What the attention heads of a language model do on several kinds of text.

Each batch goes through the model twice. The first pass finds sink tokens, wherever they are:
tokens that draw more than :data:`SINK` of some head's attention, averaged over the queries
that can see them, if these are :data:`SEEN_BY` of the text or more. The second measures every
head and layer against them. Then the heads that most differ between the kinds of text are
taken out one by one, and the loss is read again.

No attention map is kept. A layer's scores are made for :data:`QUERIES` queries at a time, so
the memory beyond the model's own is a few times ``batch * heads * QUERIES * length`` numbers
for the scores, ``batch * length**2`` for the mask, ``layers * batch * heads * length`` for
the attention on every key, and ``batch * length * vocabulary`` for the logits. It does not
grow with the number of texts but for their ids and one number for each head and text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmsuper.errors import UserError
from mmsuper.llm.perplexity import token_losses
from mmsuper.projects.active_dormant import probe

# Legend: B sequences, L positions, Q queries of a block, H heads, D channels, N texts.

#: Queries whose scores exist at a time.
QUERIES = 64
#: Mean attention that makes a token a sink of a head.
SINK = 0.3
#: Share of a text that must be able to see a token before its mean attention counts.
SEEN_BY = 1 / 4
#: Share of its worth elsewhere that a dormant head's absence may change the loss by.
DORMANT = 0.1
#: Characters that are tokenised at a time.
_CHARACTERS = 100_000

# Gives batches on and shows how many of them are done, under a title.
Watch = Callable[[Sequence[Tensor], str], Iterable[Tensor]]


def unwatched(batches: Sequence[Tensor], title: str) -> Iterable[Tensor]:
    """Show nothing."""
    return batches


@dataclass(frozen=True)
class Sink:
    """A kind of sink token.

    Attributes:
        what: Its text or its position.
        found: How often it was a sink.
        occurs: How often it came at all.
        heads: Of how many heads it was a sink, on average.
    """

    what: str
    found: int
    occurs: int
    heads: float


@dataclass
class Domain:
    """A kind of text: what is averaged over its N texts, layers first.

    Attributes:
        losses: (N,) nats a token.
        sink_weight: (N, layers, H) weight that queries put on sink tokens that they can see;
            0 in texts without any.
        gap: (layers, H) mean score on sink tokens less that on the other visible keys.
        output_norm: (layers, H) norm of what the head adds to the residual stream.
        value_ratio: (layers, H) norm of sink tokens' value states over the others'.
        residual_sinks: (layers,) norm of sink tokens' residual states.
        residual_others: (layers,) norm of the others'.
        channels: (layers, D) largest absolute value of each residual channel.
        median: (layers,) median absolute value, averaged over batches.
        positions: Sink tokens by position, most found first.
        texts: Sink tokens by their text.
        example: Tokens of the first text, and whether each is a sink.
    """

    losses: np.ndarray
    sink_weight: np.ndarray
    gap: np.ndarray
    output_norm: np.ndarray
    value_ratio: np.ndarray
    residual_sinks: np.ndarray
    residual_others: np.ndarray
    channels: np.ndarray
    median: np.ndarray
    positions: list[Sink]
    texts: list[Sink]
    example: list[tuple[str, bool]]

    def massive(self, number: int = 5) -> list[list[tuple[int, float, float]]]:
        """Of each layer the largest channels.

        Returns:
            Which channel, its largest absolute value, and that over the layer's median. The
            usual law calls it massive above 100 and above 1,000 times the median.
        """
        return [
            [(int(c), float(row[c]), float(row[c] / median)) for c in np.argsort(-row)[:number]]
            for row, median in zip(self.channels, self.median, strict=True)
        ]


@dataclass
class Candidate:
    """A head that differs between kinds of text, and the proof.

    Attributes:
        layer: Its layer.
        head: Its number.
        score: How much its sink weight differs.
        change: By kind of text (N,): the loss without the head less the loss.
    """

    layer: int
    head: int
    score: float
    change: dict[str, np.ndarray]

    def proof(self, domains: Mapping[str, Domain]) -> tuple[str, str] | None:
        """Where the head is active and where it is dormant, if taking it out proves both.

        Active is the kind of text with the least sink weight, if the loss without the head
        rises there by more than twice its standard error; dormant the one with the most, if
        the loss changes there by less than :data:`DORMANT` of that.

        Args:
            domains: What was found on each kind of text.
        """
        weights = {
            kind: one.sink_weight[:, self.layer, self.head].mean() for kind, one in domains.items()
        }
        order = sorted(weights, key=weights.__getitem__)
        active, dormant = order[0], order[-1]
        rise, change = self.change[active], float(self.change[dormant].mean())
        worth = float(rise.mean())
        sure = len(rise) > 1 and worth > 2 * float(rise.std(ddof=1)) / len(rise) ** 0.5
        return (active, dormant) if sure and abs(change) < DORMANT * worth else None


@dataclass
class Report:
    """The report of one model.

    Attributes:
        name: The model's.
        read: How its attention was read, or why not all could be.
        domains: What was found on each kind of text.
        candidates: The heads that differ most, best first.
        quantization: See :func:`mmsuper.projects.active_dormant.quantization.hints`.
    """

    name: str
    read: str
    domains: dict[str, Domain]
    candidates: list[Candidate] = field(default_factory=list)
    quantization: Any = None

    def score(self) -> np.ndarray:
        """How active-dormant each head is: (layers, H); see :func:`difference`."""
        return difference(self.domains)


def difference(domains: Mapping[str, Domain]) -> np.ndarray:
    """Largest mean sink weight of a head among kinds of text less the smallest: (layers, H).

    Of one kind of text alone, the spread between its texts.
    """
    if len(domains) == 1:
        return next(iter(domains.values())).sink_weight.std(0)
    return np.ptp([domain.sink_weight.mean(0) for domain in domains.values()], axis=0)


def windows(tokenizer: Any, documents: Iterable[str], length: int, number: int) -> Tensor:
    """Cut documents into texts of the same length: (N, L) ids, N at most ``number``.

    A text begins with the start token if the tokenizer puts one before a document. Documents
    follow each other without gaps, and no more of them are read than are needed.

    Raises:
        UserError: If there are fewer than ``length`` tokens.
    """
    options = {"add_special_tokens": False, "verbose": False}
    first = tokenizer("a")["input_ids"][:1]
    start = first if first == [tokenizer.bos_token_id] else []
    step = length - len(start)
    found: list[list[int]] = []
    ids: list[int] = []
    for document in documents:
        for begin in range(0, len(document), _CHARACTERS):
            ids += tokenizer(document[begin : begin + _CHARACTERS], **options)["input_ids"]
            whole = len(ids) // step * step
            found += [start + ids[i : i + step] for i in range(0, whole, step)]
            ids = ids[whole:]
            if len(found) >= number:
                return torch.tensor(found[:number])
    if not found:
        raise UserError(f"there are only {len(ids)} tokens, which is no text of {length}")
    return torch.tensor(found)


def report(
    model: nn.Module,
    tokenizer: Any,
    texts: Mapping[str, Tensor],
    name: str = "",
    batch: int = 4,
    candidates: int = 8,
    watch: Watch = unwatched,
) -> Report:
    """Measure a model's heads on several kinds of text.

    Args:
        model: A causal language model of transformers, in evaluation mode.
        tokenizer: Says how tokens read.
        texts: By kind of text (N, L) ids; see :func:`windows`.
        name: Of the model.
        batch: Texts that go through the model at a time.
        candidates: How many heads are taken out, one by one.
        watch: Shows progress.

    Raises:
        UserError: If the model's attention can be read in no way.
    """
    try:
        probe.check(model)
        grams = _grams(model)
    except UserError as error:
        return _fall_back(model, tokenizer, texts, name, str(error), watch)
    found = {
        kind: _domain(
            tokenizer, ids, _passes(model, watch(ids.split(batch), f"{kind}, heads")), grams
        )
        for kind, ids in texts.items()
    }
    result = Report(name, "Every head is read and changed; logits are the model's own.", found)
    score = result.score()
    heads = [np.unravel_index(i, score.shape) for i in np.argsort(-score, axis=None)[:candidates]]
    for layer, head in ((int(i), int(h)) for i, h in heads):
        change = {
            kind: without(model, ids, layer, head, batch, watch) - found[kind].losses
            for kind, ids in texts.items()
        }
        result.candidates.append(Candidate(layer, head, float(score[layer, head]), change))
    return result


def losses(
    model: nn.Module, ids: Tensor, batch: int, watch: Watch = unwatched, title: str = "loss"
) -> np.ndarray:
    """Loss of each text: (N,) nats a token."""
    device = next(model.parameters()).device
    found = []
    with torch.inference_mode():
        for part in watch(ids.split(batch), title):
            part = part.to(device)
            logits = model(input_ids=part, use_cache=False).logits
            found.append(token_losses(logits, part).mean(1).cpu())
    return torch.cat(found).numpy()


def without(
    model: nn.Module, ids: Tensor, layer: int, head: int, batch: int, watch: Watch = unwatched
) -> np.ndarray:
    """Loss of each text with one head's weights all zero: (N,)."""
    with probe.tapped(model, heads={(layer, head): "zero"}, block=QUERIES):
        return losses(model, ids, batch, watch, f"without layer {layer}, head {head}")


# ------------------------------------------------------------------------------------------
# Passes

_See = Callable[[probe.Seen], None]
_SeeResidual = Callable[[int, Tensor], None]
# Runs a batch through the model, shows what it is asked to show, gives logits.
_Pass = Callable[[_See, _SeeResidual | None], Tensor]


def _passes(model: nn.Module, batches: Iterable[Tensor]) -> Iterator[tuple[Tensor, _Pass]]:
    """Batches of texts, each with a way to pass it through the model."""
    device = next(model.parameters()).device

    def through(part: Tensor, see: _See, see_residual: _SeeResidual | None) -> Tensor:
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode())
            stack.enter_context(probe.tapped(model, see, block=QUERIES))
            if see_residual:
                stack.enter_context(probe.residuals(model, see_residual))
            return model(input_ids=part.to(device), use_cache=False).logits

    for part in batches:
        yield part, lambda see, see_residual, part=part: through(part, see, see_residual)


def _whole_passes(model: nn.Module, batches: Iterable[Tensor]) -> Iterator[tuple[Tensor, _Pass]]:
    """The same for a model that gives its weights only after a pass, all at once."""
    device = next(model.parameters()).device

    def through(part: Tensor, see: _See, see_residual: _SeeResidual | None) -> Tensor:
        with ExitStack() as stack:
            stack.enter_context(torch.inference_mode())
            if see_residual:
                stack.enter_context(probe.residuals(model, see_residual))
            out = model(input_ids=part.to(device), use_cache=False, output_attentions=True)
        visible = torch.ones(part.shape[1], part.shape[1], dtype=torch.bool, device=device).tril()
        nothing = torch.empty(0)
        for layer, weights in enumerate(out.attentions):
            see(probe.Seen(layer, nothing, weights, nothing, visible[None, None]))
        return out.logits

    for part in batches:
        yield part, lambda see, see_residual, part=part: through(part, see, see_residual)


def _fall_back(
    model: nn.Module,
    tokenizer: Any,
    texts: Mapping[str, Tensor],
    name: str,
    reason: str,
    watch: Watch,
) -> Report:
    before = model.config._attn_implementation
    try:
        if before != "eager" and type(model)._can_set_attn_implementation():
            model.set_attn_implementation("eager")
        _check_attentions(model, next(iter(texts.values()))[:1])
        found = {
            kind: _domain(
                tokenizer, ids, _whole_passes(model, watch(ids.split(1), f"{kind}, heads")), None
            )
            for kind, ids in texts.items()
        }
    finally:
        if model.config._attn_implementation != before:
            model.set_attn_implementation(before)
    text = (
        f"{reason}. Weights are those that the model gives itself, one text at a time, all "
        "layers at once; scores, values and the loss without a head are not to be had."
    )
    return Report(name, text, found)


def _check_attentions(model: nn.Module, ids: Tensor) -> None:
    device = next(model.parameters()).device
    with torch.inference_mode():
        out = model(input_ids=ids.to(device), use_cache=False, output_attentions=True)
    given = getattr(out, "attentions", None) or ()
    shape = (1, probe.head_count(model), ids.shape[1], ids.shape[1])
    layers = len(probe.decoder_layers(model))
    if len(given) != layers or any(one is None or one.shape != shape for one in given):
        raise UserError(
            f"{type(model).__name__} can be read neither through the interface of transformers "
            "nor does it give the attention of all its layers by itself"
        )


def _grams(model: nn.Module) -> list[Tensor]:
    heads = probe.head_count(model)
    columns = [probe.output_columns(layer, heads) for layer in probe.decoder_layers(model)]
    if any(one.is_meta for one in columns):
        raise UserError("parts of the model are not in memory, for want of it")
    return [probe.gram(one) for one in columns]


# ------------------------------------------------------------------------------------------
# What a pass shows, summed


class _Mass:
    """First pass: attention on every key, averaged over the queries that can see it."""

    def __init__(self) -> None:
        self.sums: dict[int, Tensor] = {}
        self.counts: dict[int, Tensor] = {}

    def see(self, seen: probe.Seen) -> None:
        sums, counts = seen.weights.float().sum(2).cpu(), seen.visible.sum(2).cpu()
        if seen.first:
            sums, counts = sums + self.sums[seen.layer], counts + self.counts[seen.layer]
        self.sums[seen.layer], self.counts[seen.layer] = sums, counts

    def heads(self) -> Tensor:
        """Of how many heads each token is a sink: (B, L)."""
        length = next(iter(self.sums.values())).shape[-1]
        enough = SEEN_BY * length
        drawn = [
            (sums / self.counts[layer].clamp_min(1) > SINK) & (self.counts[layer] >= enough)
            for layer, sums in self.sums.items()
        ]
        return torch.stack(drawn).sum((0, 2))


class _Means:
    """Means of numbers by layer, which come in pieces; what is NaN counts for nothing."""

    def __init__(self, layers: int) -> None:
        self.sums: list[Any] = [0.0] * layers
        self.counts: list[Any] = [0] * layers

    def add(self, layer: int, values: Tensor, dims: tuple[int, ...]) -> None:
        self.sums[layer] = self.sums[layer] + values.double().nansum(dims).cpu()
        self.counts[layer] = self.counts[layer] + (~values.isnan()).sum(dims).cpu()

    def get(self) -> np.ndarray:
        """Layers first; NaN where nothing came."""
        sums = np.stack([np.asarray(one, dtype=float) for one in self.sums])
        with np.errstate(invalid="ignore"):
            return sums / np.stack([np.asarray(one) for one in self.counts])


class _Measures:
    """Second pass: heads and layers against the sinks that the first pass found."""

    def __init__(self, layers: int, heads: int, grams: list[Tensor] | None) -> None:
        self.grams = grams
        self.sink_weight: list[Tensor] = []
        self.gap, self.output = _Means(layers), _Means(layers)
        self.value_sinks, self.value_others = _Means(layers), _Means(layers)
        self.residual_sinks, self.residual_others = _Means(layers), _Means(layers)
        self.median = _Means(layers)
        self.channels: list[Any] = [None] * layers
        self.shape = (layers, heads)

    def start(self, sinks: Tensor) -> None:
        """A new batch, with its sinks (B, L)."""
        self.sinks = sinks
        self.weights = torch.zeros(len(sinks), *self.shape)
        self.queries = torch.zeros(len(sinks), self.shape[0])

    def see(self, seen: probe.Seen) -> None:
        sinks = self.sinks.to(seen.weights.device)
        last = seen.first + seen.weights.shape[2]
        # (B, 1, Q, L); queries that see a sink and are none themselves: (B, 1, Q).
        on_sinks = seen.visible & sinks[:, None, None]
        asking = on_sinks.any(-1) & ~sinks[:, None, seen.first : last]
        weight = (seen.weights.float() * on_sinks).sum(-1) * asking
        self.weights[:, seen.layer] += weight.sum(-1).cpu()
        self.queries[:, seen.layer] += asking.sum((1, 2)).cpu()
        if self.grams is None:
            return
        others = seen.visible & ~sinks[:, None, None]
        scores = seen.scores.float()
        gap = _mean(scores, on_sinks) - _mean(scores, others)
        self.gap.add(seen.layer, gap.masked_fill(~asking, torch.nan), (0, 2))
        gram = self.grams[seen.layer]
        outputs = probe.norms(seen.weights @ seen.values, gram)
        self.output.add(seen.layer, outputs, (0, 2))
        if seen.first == 0:
            values = probe.norms(seen.values, gram)
            _split(values, sinks[:, None], seen.layer, self.value_sinks, self.value_others, (0, 2))

    def see_residual(self, layer: int, states: Tensor) -> None:
        states = states.float()
        sinks, norms = self.sinks.to(states.device), states.norm(dim=-1)
        _split(norms, sinks, layer, self.residual_sinks, self.residual_others, (0, 1))
        sizes = states.abs()
        self.median.add(layer, sizes.median()[None], (0,))
        largest, before = sizes.amax((0, 1)).cpu(), self.channels[layer]
        self.channels[layer] = largest if before is None else torch.maximum(before, largest)

    def end(self) -> None:
        self.sink_weight.append(self.weights / self.queries.clamp_min(1)[..., None])

    def get(self) -> dict[str, np.ndarray]:
        unknown = np.full(self.shape, np.nan)
        known = self.grams is not None
        return {
            "sink_weight": torch.cat(self.sink_weight).numpy(),
            "gap": self.gap.get() if known else unknown,
            "output_norm": self.output.get() if known else unknown,
            "value_ratio": self.value_sinks.get() / self.value_others.get() if known else unknown,
            "residual_sinks": self.residual_sinks.get(),
            "residual_others": self.residual_others.get(),
            "channels": torch.stack(self.channels).numpy(),
            "median": self.median.get(),
        }


def _mean(values: Tensor, where: Tensor) -> Tensor:
    """Mean over the last axis of the marked values; NaN where none is."""
    return (values * where).sum(-1) / where.sum(-1)


def _split(
    values: Tensor, sinks: Tensor, layer: int, of: _Means, others: _Means, dims: tuple[int, ...]
) -> None:
    of.add(layer, values.masked_fill(~sinks, torch.nan), dims)
    others.add(layer, values.masked_fill(sinks, torch.nan), dims)


def _domain(
    tokenizer: Any,
    ids: Tensor,
    passes: Iterable[tuple[Tensor, _Pass]],
    grams: list[Tensor] | None,
) -> Domain:
    measures: _Measures | None = None
    found_losses, found_heads = [], []
    for part, through in passes:
        mass = _Mass()
        logits = through(mass.see, None)
        found_losses.append(token_losses(logits, part.to(logits.device)).mean(1).cpu())
        del logits
        heads = mass.heads()
        found_heads.append(heads)
        if measures is None:
            measures = _Measures(len(mass.sums), mass.sums[0].shape[1], grams)
        measures.start(heads > 0)
        through(measures.see, measures.see_residual)
        measures.end()
    assert measures is not None
    heads = torch.cat(found_heads)
    return Domain(
        losses=torch.cat(found_losses).numpy(),
        **measures.get(),
        positions=_sinks(heads, torch.arange(ids.shape[1]).expand_as(ids), str),
        texts=_sinks(heads, ids, lambda i: tokenizer.decode([i])),
        example=[
            (tokenizer.decode([token]), bool(sink))
            for token, sink in zip(ids[0].tolist(), heads[0] > 0, strict=True)
        ],
    )


def _sinks(heads: Tensor, what: Tensor, name: Callable[[int], str]) -> list[Sink]:
    """Count sinks by what they are: the 20 that were found most often."""
    found, drawn = Counter(what[heads > 0].tolist()), Counter[int]()
    for thing, number in zip(what[heads > 0].tolist(), heads[heads > 0].tolist(), strict=True):
        drawn[thing] += number
    occurs = Counter(what.flatten().tolist())
    return [
        Sink(name(thing), times, occurs[thing], drawn[thing] / times)
        for thing, times in found.most_common(20)
    ]
