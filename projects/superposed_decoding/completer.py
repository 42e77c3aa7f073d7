"""A language model with its tokenizer and n-grams, as ``infer`` and ``serve`` use it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mmsuper.paths import payload_root
from mmsuper.projects.superposed_decoding.decoding import Settings
from mmsuper.projects.superposed_decoding.generate import Drafts, Prompt, stream
from mmsuper.projects.superposed_decoding.presets import for_drafts, settings_of

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
        settings: How to decode by default.
    """

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    ngrams: NgramIndex | None = None
    settings: Settings = field(default_factory=Settings)

    @property
    def context(self) -> int | None:
        """How many tokens the model reads at most, if it says so."""
        return getattr(self.model.config.get_text_config(), "max_position_embeddings", None)

    def settings_for(self, drafts: int | None) -> Settings:
        """The default settings, or the paper's for another number of drafts."""
        same = drafts is None or drafts == self.settings.drafts
        return self.settings if same else for_drafts(drafts)

    def stream(self, prompts: Sequence[Prompt], settings: Settings) -> Iterator[list[Drafts]]:
        """The drafts of each prompt after every step; see :func:`generate.stream`."""
        return stream(self.model, self.tokenizer, prompts, ngram=self.ngrams, settings=settings)


def load(
    config: str | Path,
    weights: str | Path | None = None,
    ngrams: str | Path | None = None,
    device: str = "auto",
) -> Completer:
    """Load what completes texts.

    Args:
        config: Of a comparison of decoders; its superposed one's settings are the default.
        weights: A Hugging Face folder or the name of a model on the hub; the config's if None.
        ngrams: Folder of an n-gram index; if None, the config's if it is there and is of the
            config's model.
        device: Where the model goes.

    Raises:
        UserError: If there is no such model or index, or the index is of another tokenizer.
    """
    from mmsuper import configuration
    from mmsuper.apis.devices import pick_device
    from mmsuper.llm import load_model, load_tokenizer
    from mmsuper.projects.superposed_decoding.ngrams import NgramIndex

    model = configuration.read(config).model
    dtype = None
    if weights is None:
        weights, dtype = _shipped(model.pretrained), model.get("dtype")
        if ngrams is None and model.get("ngrams") and Path(model.ngrams).is_dir():
            ngrams = model.ngrams
    tokenizer = load_tokenizer(weights)
    return Completer(
        name=Path(weights).resolve().name if Path(weights).is_dir() else str(weights),
        model=load_model(weights, dtype, pick_device(device)),
        tokenizer=tokenizer,
        ngrams=None if ngrams is None else NgramIndex.open(ngrams, tokenizer),
        settings=settings_of(model.decoders["superposed"]),
    )


def _shipped(folder: str) -> str | Path:
    """A folder that comes with us, from wherever it is asked for; other names as they are."""
    ours = payload_root() / folder
    return ours if ours.is_dir() and not Path(folder).is_dir() else folder


def shares(drafts: Drafts) -> list[float]:
    """Each draft's share in what the network was fed last; 0 for one that has ended."""
    going_on = iter(drafts.weights[-1].tolist())
    return [0.0 if draft.finished else next(going_on) for draft in drafts.drafts]
