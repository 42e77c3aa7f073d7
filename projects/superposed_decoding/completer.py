"""A language model with its tokenizer and n-grams, as ``infer`` and ``serve`` use it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mmsuper.projects.superposed_decoding.decoding import Settings
from mmsuper.projects.superposed_decoding.generate import Drafts, Prompt, stream

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from mmsuper.projects.superposed_decoding.ngrams import NgramIndex


@dataclass(frozen=True)
class Completer:
    """What completes texts.

    Attributes:
        name: Of the model.
        model: A causal language model.
        tokenizer: Its tokenizer.
        ngrams: Counts that tell drafts apart; without them the network alone ranks.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    ngrams: NgramIndex | None = None

    @property
    def context(self) -> int | None:
        """How many tokens the model reads at most, if it says so."""
        return getattr(self.model.config.get_text_config(), "max_position_embeddings", None)

    def stream(self, prompts: Sequence[Prompt], settings: Settings) -> Iterator[list[Drafts]]:
        """The drafts of each prompt after every step; see :func:`generate.stream`."""
        k, length = settings.drafts, settings.max_new_tokens
        return stream(self.model, self.tokenizer, prompts, k, length, self.ngrams, settings)


def load(weights: str | Path, ngrams: str | Path | None = None, device: str = "auto") -> Completer:
    """Load what completes texts.

    Args:
        weights: A Hugging Face folder, or the name of a model on the hub.
        ngrams: Folder of an n-gram index.
        device: Where the model goes.

    Raises:
        UserError: If there is no such model or index, or the index is of another tokenizer.
    """
    from mmsuper.apis.devices import pick_device
    from mmsuper.llm import load_model, load_tokenizer
    from mmsuper.projects.superposed_decoding.ngrams import NgramIndex

    tokenizer = load_tokenizer(weights)
    index = None if ngrams is None else NgramIndex.open(ngrams, tokenizer)
    model = load_model(weights, device=pick_device(device))
    name = Path(weights).resolve().name if Path(weights).is_dir() else str(weights)
    return Completer(name, model, tokenizer, index)


def shares(drafts: Drafts) -> list[float]:
    """Each draft's share in what the network was fed last; 0 for one that has ended."""
    going_on = iter(drafts.weights[-1].tolist())
    return [0.0 if draft.finished else next(going_on) for draft in drafts.drafts]
