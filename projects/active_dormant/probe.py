"""Reading and changing the attention of any Hugging Face causal language model.

Models of transformers hand queries, keys and values to a function that their configuration
names. A tap is such a function: it computes what plain ("eager") attention does, shows every
head's scores, weights and values to whoever asked, and can change the weights of single
heads. Nothing of a model's own code is touched, and nothing is kept unless asked for: a map
of a head over two thousand tokens is four million numbers.

A tap that does not reproduce a model's own logits is refused when it is put on, with models
whose attention does something else in that place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from mmsuper.errors import UserError

# Legend: B sequences, L positions, D channels, H heads, C channels of a head.

NAME = "mmsuper_tap"
# What becomes of a head: its weights are all zero, or wholly on the first key.
Change = Literal["zero", "first"]
Heads = Mapping[tuple[int, int], Change]
Component = Literal["attention", "mlp", "both"]

# What families call the parts of a decoder layer.
_ATTENTION = ("self_attn", "attn", "attention", "self_attention")
_MLP = ("mlp", "feed_forward", "ffn", "fc2")
_OUTPUT = ("o_proj", "out_proj", "c_proj", "dense", "wo")


@dataclass(frozen=True)
class Seen:
    """The attention of one layer for one batch, or of a block of its queries.

    Attributes:
        layer: Number of the layer.
        scores: (B, H, query, key) scaled products, soft-capped where the model does, before
            any mask: keys of the future have theirs as well. empty where not to be had.
        weights: (B, H, query, key) after mask and softmax, before any change.
        values: (B, H, L, C), key/value heads repeated to query heads. empty where not to be had.
        visible: (B or 1, 1, query, key) whether the mask lets the query see the key.
        first: Position of the first query.
    """

    layer: int
    scores: Tensor
    weights: Tensor
    values: Tensor
    visible: Tensor
    first: int = 0


@dataclass(frozen=True)
class _Tap:
    see: Callable[[Seen], None] | None = None
    heads: Heads = field(default_factory=dict)
    block: int | None = None


_active: ContextVar[_Tap | None] = ContextVar("tap", default=None)


def _attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    **others: Any,
) -> tuple[Tensor, Tensor]:
    """What transformers calls in every layer: plain attention, seen and changed."""
    groups = query.shape[1] // key.shape[1]
    key, value = (states.repeat_interleave(groups, 1) for states in (key, value))
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    tap, layer, length = _active.get() or _Tap(), module.layer_idx, query.shape[2]
    changes = {head: change for (i, head), change in tap.heads.items() if i == layer}
    if attention_mask is None:
        attention_mask = query.new_zeros(1, 1, length, key.shape[2])
    outputs = []
    for first in range(0, length, tap.block or length):
        rows = slice(first, first + (tap.block or length))
        scores = query[:, :, rows] @ key.transpose(2, 3) * scaling
        mask = attention_mask[:, :, rows]
        if softcap is not None:
            scores = (scores / softcap).tanh() * softcap
        weights = _weights(scores + mask, s_aux).to(query.dtype)
        if tap.see is not None:
            visible = mask > torch.finfo(mask.dtype).min / 2
            tap.see(Seen(layer, scores, weights, value, visible, first))
        weights = _changed(weights, changes)
        weights = nn.functional.dropout(weights, dropout, module.training)
        outputs.append(weights @ value)
    return torch.cat(outputs, 2).transpose(1, 2).contiguous(), weights


def _weights(masked: Tensor, s_aux: Tensor | None) -> Tensor:
    keys = masked.shape[-1]
    if s_aux is not None:  # a learned logit of each head on nothing at all
        nothing = s_aux.reshape(1, -1, 1, 1).expand(*masked.shape[:3], 1)
        masked = torch.cat([masked, nothing], dim=-1)
    return masked.softmax(-1, dtype=torch.float32)[..., :keys]


def _changed(weights: Tensor, heads: dict[int, Change]) -> Tensor:
    if heads:
        weights = weights.clone()
    for head, change in heads.items():
        weights[:, head] = 0
        if change == "first":
            weights[:, head, :, 0] = 1
    return weights


@contextmanager
def tapped(
    model: nn.Module,
    see: Callable[[Seen], None] | None = None,
    heads: Heads | None = None,
    block: int | None = None,
) -> Iterator[None]:
    """Put a tap on a model for the time of a block.

    Args:
        model: A causal language model of transformers, in evaluation mode.
        see: Called with the attention of every layer and batch.
        heads: Which heads to change, by layer and number.
        block: How many queries' scores are made, and seen, at a time; all if None. Memory
            for scores then grows with the length, not with its square.

    Raises:
        UserError: If the model's attention cannot be tapped, or there is no such head.
    """
    for layer, head in heads or {}:
        if not (0 <= layer < len(decoder_layers(model)) and 0 <= head < head_count(model)):
            raise UserError(f"{type(model).__name__} has no head {head} in a layer {layer}")
    _register(model)
    token = _active.set(_Tap(see, heads or {}, block))
    try:
        with _attending(model, NAME):
            yield
    finally:
        _active.reset(token)


@contextmanager
def _attending(model: nn.Module, name: str) -> Iterator[None]:
    """Let a model compute attention in the way of that name, for the time of a block."""
    before = model.config._attn_implementation
    model.set_attn_implementation(name)
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def _register(model: nn.Module) -> None:
    from transformers import AttentionInterface, AttentionMaskInterface

    if not type(model)._can_set_attn_implementation():
        raise UserError(
            f"{type(model).__name__} does not compute attention through the interface of "
            "transformers, so its heads can be neither read nor changed"
        )
    AttentionInterface.register(NAME, _attention)
    AttentionMaskInterface.register(NAME, AttentionMaskInterface()["eager"])


def check(model: nn.Module, length: int = 12) -> None:
    """Refuse a model whose logits are other with a tap than with its own plain attention.

    Of the other ways to compute attention some leave out what a model has, as PyTorch's
    fused one does with Gemma 2's soft caps; that is not the tap's doing.

    Args:
        model: A causal language model of transformers.
        length: Tokens of the sequence that it is tried on.

    Raises:
        UserError: If the model is refused; it says why.
    """
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(model.config.get_text_config().vocab_size, (1, length), generator=generator)
    ids = ids.to(device)
    seen: set[int] = set()
    _register(model)
    with torch.no_grad():
        with _attending(model, "eager"):
            plain = model(ids, use_cache=False).logits.float()
        with tapped(model, lambda one: seen.add(one.layer)):
            ours = model(ids, use_cache=False).logits.float()
    layers = len(decoder_layers(model))
    if len(seen) != layers:
        raise UserError(
            f"{type(model).__name__} has {layers} layers of which {len(seen)} call attention "
            "through the interface of transformers; only models where all do can be read"
        )
    # Kernels of other precision differ by some units of the last place.
    allowed = 200 * torch.finfo(next(model.parameters()).dtype).eps * float(plain.abs().max())
    worst = float((ours - plain).abs().max())
    if not worst <= allowed:
        raise UserError(
            f"{type(model).__name__} gives other logits when its attention is read (by up to "
            f"{worst:.2g}), so it computes something there that is not known here"
        )


# ------------------------------------------------------------------------------------------
# Parts of a model


def decoder_layers(model: nn.Module) -> nn.ModuleList:
    """The decoder layers.

    Raises:
        UserError: If the model has no list of as many modules as its configuration says.
    """
    count = model.config.get_text_config().num_hidden_layers
    for module in model.modules():
        if isinstance(module, nn.ModuleList) and len(module) == count:
            return module
    raise UserError(f"{type(model).__name__} has no list of its {count} decoder layers")


def head_count(model: nn.Module) -> int:
    """Query heads of a layer."""
    return model.config.get_text_config().num_attention_heads


def part(module: nn.Module, what: str, names: Sequence[str]) -> nn.Module:
    """The first of some names that a module has as a part.

    Raises:
        UserError: If it has none.
    """
    for name in names:
        if isinstance(getattr(module, name, None), nn.Module):
            return getattr(module, name)
    raise UserError(
        f"{type(module).__name__} has no {what} under a known name ({', '.join(names)})"
    )


def attention_of(layer: nn.Module) -> nn.Module:
    """The attention of a decoder layer, output projection included."""
    found = part(layer, "attention", _ATTENTION)
    # GPT-Neo and others wrap it once more.
    return getattr(found, "attention", found)


def mlp_of(layer: nn.Module) -> nn.Module:
    """The feed-forward network of a decoder layer, or its last matrix."""
    return part(layer, "feed-forward network", _MLP)


def output_columns(layer: nn.Module, heads: int) -> Tensor:
    """The output projection of a decoder layer by heads: (H, C, D)."""
    projection = part(attention_of(layer), "output projection", _OUTPUT)
    # GPT-2's Conv1D keeps its matrix the other way round.
    matrix = projection.weight.T if isinstance(projection, nn.Linear) else projection.weight
    return matrix.unflatten(0, (heads, -1))


@contextmanager
def zeroed(model: nn.Module, layers: Sequence[int], component: Component) -> Iterator[None]:
    """Take the output of attention, of the feed-forward network, or of both, out of layers.

    Raises:
        UserError: If a part is not found.
    """

    def zero(module: nn.Module, inputs: tuple, out: Any) -> Any:
        if isinstance(out, tuple):
            return (torch.zeros_like(out[0]), *out[1:])
        return torch.zeros_like(out)

    modules = []
    for number in layers:
        layer = decoder_layers(model)[number]
        modules += [attention_of(layer)] if component != "mlp" else []
        modules += [mlp_of(layer)] if component != "attention" else []
    handles = [module.register_forward_hook(zero) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def residuals(model: nn.Module, see: Callable[[int, Tensor], None]) -> Iterator[None]:
    """Show the output of every decoder layer, (B, L, D), for the time of a block.

    The list of hidden states that models of transformers give is no substitute: its last
    entry is taken after the final norm.
    """

    def hook(number: int) -> Callable[..., None]:
        return lambda module, inputs, out: see(number, out[0] if isinstance(out, tuple) else out)

    handles = [
        layer.register_forward_hook(hook(number))
        for number, layer in enumerate(decoder_layers(model))
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


# ------------------------------------------------------------------------------------------
# Numbers of one layer


def value_norms(values: Tensor, columns: Tensor) -> Tensor:
    """Norm of every head's value state after the output projection: (B, H, L).

    Args:
        values: (B, H, L, C).
        columns: (H, C, D), see :func:`output_columns`.
    """
    return norms(values, gram(columns))


def gram(columns: Tensor) -> Tensor:
    """Products of the output projection's rows with each other, by heads: (H, C, C).

    Args:
        columns: (H, C, D), see :func:`output_columns`.
    """
    return columns.float() @ columns.float().transpose(1, 2)


def norms(states: Tensor, gram: Tensor) -> Tensor:
    """Norms after the output projection of states of heads, without making them: (B, H, L).

    Args:
        states: (B, H, L, C).
        gram: See :func:`gram`.
    """
    # ||v W|| from W W^T, which is small, instead of vectors of D channels.
    states = states.float()
    squared = torch.einsum("bhlc,hce,bhle->bhl", states, gram.to(states.device), states)
    return squared.clamp_min(0).sqrt()


def sink_attention(weights: Tensor, position: int = 0) -> Tensor:
    """Weight on a key, averaged over the queries from it on: (B, H)."""
    return weights[:, :, position:, position].float().mean(-1)


def row_entropy(weights: Tensor) -> Tensor:
    """Entropy of every query's weights over its largest possible one, averaged: (B, H).

    The first query, which has no choice, counts as 0.
    """
    entropy = torch.special.entr(weights.float()).sum(-1)
    keys = torch.arange(1, weights.shape[-1] + 1, device=weights.device)
    return (entropy / keys.log().clamp_min(1e-9)).mean(-1)


def column_entropy(weights: Tensor) -> Tensor:
    """How evenly a key is looked at by the queries from it on; of the most even: (B, H)."""
    columns = weights.float() / weights.float().sum(-2, keepdim=True).clamp_min(1e-12)
    entropy = torch.special.entr(columns).sum(-2)
    queries = torch.arange(weights.shape[-1], 0, -1, device=weights.device)
    return (entropy / queries.log().clamp_min(1e-9))[..., :-1].amax(-1)


def sink_gap(scores: Tensor, position: int = 0, all_keys: bool = False) -> Tensor:
    """Every query's logit on a key less its mean logit on others: (B, H, L).

    Args:
        scores: (B, H, query, key).
        position: Which key.
        all_keys: Whether the mean is over all keys, future ones and the key itself included,
            as the authors' scripts have it, instead of the others up to the query.
    """
    scores = scores.float()
    if all_keys:
        return scores[..., position] - scores.mean(-1)
    length = scores.shape[-1]
    others = torch.ones(length, length, dtype=torch.bool, device=scores.device).tril()
    others[:, position] = False
    mean = scores.masked_fill(~others, 0).sum(-1) / others.sum(-1)
    return scores[..., position] - mean
