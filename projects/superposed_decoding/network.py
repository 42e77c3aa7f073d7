"""A causal language model of ``transformers`` that reads prompts, then mixes of tokens.

Whatever a model does to the embeddings of its tokens (Gemma scales them, GPT-2 adds learned
positions), it does in its embedding module, which is asked for the rows that are mixed, or
after it, where it does the same to a mix. So a mix of one token alone is that token.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from mmsuper.errors import UserError

if TYPE_CHECKING:
    from transformers import Cache, PreTrainedModel

# Models with these entries in their config look tokens up again in every layer.
_PER_LAYER = ("hidden_size_per_layer_input", "vocab_size_per_layer_input")


class SharedPass:
    """One forward pass a token for each prompt, whatever the number of its drafts.

    Each mix takes one place in the key and value cache, for good: the cache is never
    reordered, and any kind of cache will do.

    Args:
        model: A causal language model of ``transformers``.
        cache: Where keys and values go, if it has a fixed size (a ``StaticCache``); others are
            made by the model for each text.

    Raises:
        UserError: If the model cannot be fed mixes of embeddings.
    """

    def __init__(self, model: PreTrainedModel, cache: Cache | None = None) -> None:
        accepted = inspect.signature(model.forward).parameters
        _check(model, accepted)
        self.model = model
        self._fixed = cache if cache is not None and cache.is_compileable else None
        self._cache: Cache | None = None
        self._embed = model.get_input_embeddings()
        self._takes_positions = "position_ids" in accepted
        self._options: dict[str, Any] = {"use_cache": True}
        if "logits_to_keep" in accepted:
            self._options["logits_to_keep"] = 1
        self._mask: Tensor | None = None
        self._lengths = torch.zeros(0)

    @torch.no_grad()
    def read(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Begin anew with prompts, which may differ in length.

        Args:
            prompts: Their token ids.

        Returns:
            Logits of each one's next token, float32, (B, V).
        """
        longest = max(map(len, prompts))
        pads = [longest - len(prompt) for prompt in prompts]
        rows = [[0] * pad + list(prompt) for pad, prompt in zip(pads, prompts, strict=True)]
        device = self._embed.weight.device
        ids = torch.tensor(rows, device=device)
        self._lengths = torch.tensor([[len(prompt)] for prompt in prompts], device=device)
        # Without padding there is nothing to mask, and attention is quicker for it.
        self._mask = None
        positions = torch.arange(longest, device=device)[None].expand(len(prompts), -1)
        if any(pads):
            positions = positions - torch.tensor(pads, device=device)[:, None]
            self._mask = (positions >= 0).long()
            positions = positions.clamp(min=0)
        if self._fixed is not None:
            self._fixed.reset()
        self._cache = self._fixed
        return self._forward(positions, input_ids=ids)

    @torch.no_grad()
    def feed(self, tokens: Tensor, weights: Tensor) -> Tensor:
        """Go on with a mix of tokens for each prompt.

        The mix is made in float32 and keeps the norm that it has.

        Args:
            tokens: Token ids, (B, k).
            weights: Their shares, (B, k).

        Returns:
            Logits of the next token, float32, (B, V).
        """
        device = self._embed.weight.device
        rows = self._embed(tokens.to(device))
        mix = (weights.to(device)[:, None] @ rows.float()).to(rows.dtype)
        positions, self._lengths = self._lengths, self._lengths + 1
        if self._mask is not None:
            self._mask = torch.cat([self._mask, torch.ones_like(positions)], 1)
        return self._forward(positions, inputs_embeds=mix)

    def _forward(self, positions: Tensor, **inputs: Tensor) -> Tensor:
        if self._takes_positions:
            inputs["position_ids"] = positions
        out = self.model(
            **inputs, attention_mask=self._mask, past_key_values=self._cache, **self._options
        )
        self._cache = out.past_key_values
        return out.logits[:, -1].float()


def _check(model: PreTrainedModel, accepted: Any) -> None:
    """Refuse models for which a mix of embeddings is not a mix of inputs."""
    name = type(model).__name__
    if model.config.is_encoder_decoder:
        raise UserError(f"superposed decoding goes on with a text; {name} is an encoder-decoder")
    if any(getattr(model.config.get_text_config(), entry, 0) for entry in _PER_LAYER):
        raise UserError(
            f"{name} looks its tokens up in every layer, so that a mix of them cannot be fed"
        )
    for argument in ("inputs_embeds", "past_key_values"):
        if argument not in accepted:
            raise UserError(f"{name} takes no {argument}, which superposed decoding needs")
