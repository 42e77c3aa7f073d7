"""The small transformers of the study, with every part that it takes out or changes.

Tianyu Guo, Druv Pai, Yu Bai, Jiantao Jiao, Michael I. Jordan, Song Mei: "Active-Dormant
Attention Heads: Mechanistically Demystifying Extreme-Token Phenomena in LLMs", arXiv
2410.13835.

In the order of this file: causal attention whose weights are a softmax or a ReLU; a block of
attention and feed-forward network; the transformer; and the *reduced model*, one layer with
just enough parameters to show the same dynamics.

Names of parameters are the authors', so their checkpoints load as they are. What a module
computes on the way (scores, weights) is the output of a module of its own: forward hooks
read and replace it, and cost nothing where there are none. See ``measure.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmsuper.registry import MODELS

# Legend: B sequences, L positions, D channels, H heads, C = D / H channels of a head,
# V size of the vocabulary.


class Scores(nn.Module):
    """Scaled products of queries and keys, (B, H, L, C) twice to (B, H, query, key).

    What lies in the future is minus infinity.
    """

    def forward(self, q: Tensor, k: Tensor) -> Tensor:
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        return scores.masked_fill(future(q.shape[-2], q.device), -math.inf)


class Softmax(nn.Module):
    """Attention weights by a softmax, in float32."""

    def forward(self, scores: Tensor) -> Tensor:
        return scores.float().softmax(-1).to(scores.dtype)


class ReLU(nn.Module):
    """Attention weights that may all be zero: positive scores, over how many keys there are."""

    def forward(self, scores: Tensor) -> Tensor:
        keys = torch.arange(1, scores.shape[-1] + 1, device=scores.device)
        return scores.relu() / keys[:, None]


def future(length: int, device: torch.device) -> Tensor:
    """(L, L) bool: whether a key comes after a query."""
    return torch.ones(length, length, dtype=torch.bool, device=device).triu(1)


class Attention(nn.Module):
    """Causal attention without biases.

    Args:
        dim: Channels D.
        n_heads: Heads H.
        relu: Whether weights are :class:`ReLU` instead of :class:`Softmax`.
        no_wv: Whether values are the input itself.
        no_wo: Whether the output is the heads' side by side.

    Shape:
        x: (B, L, D) -> (B, L, D)
    """

    def __init__(
        self,
        dim: int,
        n_heads: int = 1,
        relu: bool = False,
        no_wv: bool = False,
        no_wo: bool = False,
    ) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.wq = nn.Linear(dim, dim, bias=False)
        self.wk = nn.Linear(dim, dim, bias=False)
        self.wv = nn.Identity() if no_wv else nn.Linear(dim, dim, bias=False)
        self.wo = nn.Identity() if no_wo else nn.Linear(dim, dim, bias=False)
        self.scores = Scores()
        self.weights = ReLU() if relu else Softmax()

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (self.split(w(x)) for w in (self.wq, self.wk, self.wv))
        weights = self.weights(self.scores(q, k))
        return self.wo((weights @ v).transpose(1, 2).flatten(2))

    def split(self, x: Tensor) -> Tensor:
        """Channels by head: (B, L, D) to (B, H, L, C)."""
        return x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)


class FeedForward(nn.Module):
    """Two linear layers without biases and a ReLU between."""

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.w1 = nn.Linear(dim, hidden_dim, bias=False)
        self.w2 = nn.Linear(hidden_dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.w2(self.w1(x).relu())


class Block(nn.Module):
    """Attention and feed-forward network, each with a norm before or after, and residuals.

    Args:
        attention: The attention.
        ff: The feed-forward network, or None for none.
        attention_norm: Norm of the attention.
        ff_norm: Norm of the feed-forward network.
        pre_norm: Whether norms come before what they belong to, or after the residual.
        no_attn: Whether the attention is left out; its parameters stay, unused.
    """

    def __init__(
        self,
        attention: Attention,
        ff: nn.Module | None,
        attention_norm: nn.Module,
        ff_norm: nn.Module,
        pre_norm: bool = True,
        no_attn: bool = False,
    ) -> None:
        super().__init__()
        self.attention, self.ff = attention, ff
        self.attention_norm, self.ff_norm = attention_norm, ff_norm
        self.pre_norm, self.no_attn = pre_norm, no_attn

    def forward(self, x: Tensor) -> Tensor:
        if not self.no_attn:
            x = self._add(x, self.attention, self.attention_norm)
        return x if self.ff is None else self._add(x, self.ff, self.ff_norm)

    def _add(self, x: Tensor, part: nn.Module, norm: nn.Module) -> Tensor:
        return x + part(norm(x)) if self.pre_norm else norm(x + part(x))


@MODELS.register_module()
class ToyTransformer(nn.Module):
    """A decoder of few layers.

    Where an argument is a sequence of numbers, these are the layers that it is for, from 0.

    Args:
        vocab_size: Tokens V.
        dim: Channels D.
        n_layers: Blocks.
        n_heads: Heads of each.
        max_length: Longest sequence.
        hidden_dim: Inner channels of feed-forward networks; four times ``dim`` if 0.
        pre_norm: Whether norms come first. Only then is there a last one before the output.
        sin_cos: Add sines and cosines instead of learned positions, which stay unused;
            sequences must then have just ``max_length`` tokens.
        attn_use_relu: Attention weights by ReLU.
        no_attn: Layers without attention.
        no_ffn: Layers without a feed-forward network.
        linear_ffn: Layers whose feed-forward network is one matrix.
        no_attn_norm: Layers without the norm of attention.
        no_ffn_norm: Layers without the norm of the feed-forward network.
        no_norm: No norms at all.
        no_wv: Values are the attention's input.
        no_wo: No output projection of attention.
        tie_output: The output layer is the token embedding.
        freeze: Beginnings of names of parameters that are not trained.

    Shape:
        tokens: (B, L) int64 -> logits (B, L, V)
    """

    def __init__(
        self,
        vocab_size: int = 67,
        dim: int = 256,
        n_layers: int = 1,
        n_heads: int = 1,
        max_length: int = 256,
        hidden_dim: int = 0,
        pre_norm: bool = True,
        sin_cos: bool = False,
        attn_use_relu: bool = False,
        no_attn: Sequence[int] = (),
        no_ffn: Sequence[int] = (),
        linear_ffn: Sequence[int] = (),
        no_attn_norm: Sequence[int] = (),
        no_ffn_norm: Sequence[int] = (),
        no_norm: bool = False,
        no_wv: bool = False,
        no_wo: bool = False,
        tie_output: bool = False,
        freeze: Sequence[str] = (),
    ) -> None:
        super().__init__()

        def norm(without: bool) -> nn.Module:
            return nn.Identity() if no_norm or without else nn.LayerNorm(dim)

        def feed_forward(layer: int) -> nn.Module | None:
            if layer in no_ffn:
                return None
            if layer in linear_ffn:
                return nn.Linear(dim, dim, bias=False)
            return FeedForward(dim, hidden_dim or 4 * dim)

        self.vocab_size = vocab_size
        self.tok_embeddings = nn.Embedding(vocab_size, dim)
        self.pos_embeddings = nn.Embedding(max_length, dim)
        table = sines_and_cosines(max_length, dim) if sin_cos else None
        self.register_buffer("pe", table, persistent=False)
        self.layers = nn.ModuleList(
            Block(
                Attention(dim, n_heads, attn_use_relu, no_wv, no_wo),
                feed_forward(layer),
                norm(layer in no_attn_norm),
                norm(layer in no_ffn_norm),
                pre_norm,
                layer in no_attn,
            )
            for layer in range(n_layers)
        )
        self.norm = norm(not pre_norm)
        self.output = nn.Linear(dim, vocab_size, bias=False)
        if tie_output:
            self.output.weight = self.tok_embeddings.weight
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(not name.startswith(tuple(freeze)))

    def forward(self, tokens: Tensor) -> Tensor:
        positions = self.pos_embeddings.weight[: tokens.shape[1]] if self.pe is None else self.pe
        x = self.tok_embeddings(tokens) + positions
        for layer in self.layers:
            x = layer(x)
        return self.output(self.norm(x))


def sines_and_cosines(length: int, dim: int) -> Tensor:
    """(L, D) fixed positions: sines in even channels, cosines in odd ones."""
    rates = 10000.0 ** (-torch.arange(0, dim, 2) / dim)
    angles = torch.arange(length)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :dim]


# ------------------------------------------------------------------------------------------
# The reduced model


class ReducedScores(nn.Module):
    """Scores (B, query, key) of the reduced model, of one number for each query.

    An ordinary query scores ``sink`` on ``<s>``, a trigger's ``previous`` on the token before
    it; the other scores are 0, those of the future minus infinity. As in the authors' code,
    the first query after ``<s>`` scores ``previous`` on it besides.
    """

    def forward(self, sink: Tensor, previous: Tensor, triggered: Tensor, is_bos: Tensor) -> Tensor:
        looks_back = triggered | (is_bos.roll(1, dims=1) & ~is_bos)
        scores = (sink * ~triggered)[:, :, None] * is_bos[:, None, :]
        scores = scores + torch.diag_embed((previous * looks_back)[:, 1:], offset=-1)
        return scores.masked_fill(future(scores.shape[-1], scores.device), -math.inf)


class ReducedAttention(nn.Module):
    """Attention of the reduced model: four vectors over the vocabulary and a matrix.

    Args:
        vocab_size: Tokens V.
        triggers: Ids of those whose queries look at the token before.
        bos: Id of ``<s>``.
        use_vo: Whether the value of ``<s>`` goes through the matrix ``wo``.

    Attributes:
        wv: (V,) scale of the value of each token, which is one-hot.
        wv_bos: (V,) value of ``<s>`` before ``wo``.
        qk_bos: (V,) sink logit of each query token.
        qk_previous: (V,) logit of each query token on the token before.

    Shape:
        tokens: (B, L) int64 -> (B, L, V)
    """

    def __init__(
        self, vocab_size: int, triggers: Sequence[int], bos: int, use_vo: bool = True
    ) -> None:
        super().__init__()
        self.bos = bos
        self.is_trigger: Tensor
        is_trigger = torch.isin(torch.arange(vocab_size), torch.tensor([*triggers]))
        self.register_buffer("is_trigger", is_trigger, persistent=False)
        self.wv_bos, self.wv, self.qk_bos, self.qk_previous = (
            nn.Parameter(torch.randn(vocab_size) / math.sqrt(vocab_size)) for _ in range(4)
        )
        self.wo = nn.Linear(vocab_size, vocab_size, bias=False) if use_vo else nn.Identity()
        self.scores = ReducedScores()
        self.weights = Softmax()

    def forward(self, tokens: Tensor) -> Tensor:
        triggered = self.is_trigger[tokens]
        sink, previous = self.qk_bos[tokens], self.qk_previous[tokens]
        scores = self.scores(sink, previous, triggered, tokens == self.bos)
        return self.weights(scores) @ self.values(tokens)

    def values(self, tokens: Tensor) -> Tensor:
        """(B, L) to (B, L, V)."""
        scaled = F.one_hot(tokens, len(self.wv)) * self.wv[tokens][..., None]
        return torch.where((tokens == self.bos)[..., None], self.wo(self.wv_bos), scaled)


class ReducedLayer(nn.Module):
    """The reduced model's attention and feed-forward network, side by side."""

    def __init__(self, attention: ReducedAttention, ff: FeedForward) -> None:
        super().__init__()
        self.attention, self.ff = attention, ff


@MODELS.register_module()
class ReducedModel(nn.Module):
    """One layer without embeddings and residuals: attention plus a network of the last token.

    The feed-forward network has to learn the bigram law, and the attention to copy after
    triggers and to do nothing elsewhere.

    Args:
        vocab_size: Tokens V.
        triggers: Ids of the triggers.
        bos: Id of ``<s>``.
        hidden_dim: Inner channels of the feed-forward network.
        use_vo: See :class:`ReducedAttention`.

    Shape:
        tokens: (B, L) int64 -> logits (B, L, V)
    """

    def __init__(
        self,
        vocab_size: int = 67,
        triggers: Sequence[int] = (1, 43, 58),
        bos: int = 65,
        hidden_dim: int = 64,
        use_vo: bool = True,
    ) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        attention = ReducedAttention(vocab_size, triggers, bos, use_vo)
        self.layers = nn.ModuleList([ReducedLayer(attention, FeedForward(vocab_size, hidden_dim))])

    def forward(self, tokens: Tensor) -> Tensor:
        (layer,) = self.layers
        one_hot = F.one_hot(tokens, self.vocab_size).to(layer.ff.w1.weight.dtype)
        return layer.attention(tokens) + layer.ff(one_hot)
