"""Perplexity of a text by a sliding window.

The window moves over the ids of a text by ``stride``. A token is scored once, in the first
window that holds it with a token before it there: ``-log p(token | those before it in the
window)``, in float32. So each scored token but those of the first window has at least
``window - stride`` tokens before it. With ``stride == window`` the first token of every
window has none and is not scored, with a smaller stride only the text's first is not. The
perplexity is ``exp`` of the mean over scored tokens, each of the same weight.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mmsuper.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel


class Window(NamedTuple):
    """A window on a text's ids.

    Attributes:
        begin: Its first token.
        end: One after its last token.
        scored: How many tokens at its end are scored.
    """

    begin: int
    end: int
    scored: int


def windows(length: int, window: int, stride: int | None = None) -> Iterator[Window]:
    """The windows of a text; the last may be shorter.

    Args:
        length: How many tokens the text has.
        window: How many tokens the model sees at once.
        stride: How far the window moves; by its own length if None.

    Raises:
        UserError: If ``stride`` is not from 1 to ``window``.
    """
    stride = stride or window
    if not 1 <= stride <= window or window < 2:
        raise UserError(f"a window of {window} tokens cannot move by {stride}")
    done = 1
    for begin in range(0, length - 1, stride):
        end = min(begin + window, length)
        # The first token of a window has nothing before it.
        yield Window(begin, end, end - max(done, begin + 1))
        done = end
        if end == length:
            return


def perplexity(
    model: PreTrainedModel, ids: Sequence[int] | Tensor, window: int, stride: int | None = None
) -> float:
    """Perplexity of a model on one text, by the protocol of this module.

    Args:
        model: A causal language model in evaluation mode.
        ids: The text's token ids.
        window: See :func:`windows`.
        stride: See :func:`windows`.

    Raises:
        UserError: If the text has fewer than two tokens.
    """
    import torch

    # A copy, because ids may be mapped from a file that cannot be written.
    text = ids if isinstance(ids, torch.Tensor) else torch.as_tensor(np.array(ids))
    text = text.long().reshape(-1)
    total, count = 0.0, 0
    for begin, end, scored in windows(len(text), window, stride):
        part = text[None, begin:end].to(model.device)
        with torch.inference_mode():
            losses = token_losses(model(input_ids=part, use_cache=False).logits, part)
        total += float(losses[0, losses.shape[1] - scored :].sum(dtype=torch.float64))
        count += scored
    if not count:
        raise UserError("a perplexity takes a text of at least two tokens")
    return math.exp(total / count)


def token_losses(logits: Tensor, ids: Tensor) -> Tensor:
    """``-log p`` of each token but the first.

    Shape:
        logits: (B, T, V), ids: (B, T) -> (B, T - 1), float32.
    """
    from torch.nn import functional

    logits = logits[:, :-1].float()
    return functional.cross_entropy(
        logits.flatten(0, 1), ids[:, 1:].to(logits.device).flatten(), reduction="none"
    ).reshape(logits.shape[:2])
