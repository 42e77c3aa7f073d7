"""Superposed drafts and those of other decoders, of the same model and the same prompts."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmsuper.errors import UserError
from mmsuper.projects.superposed_decoding.decoding import Draft, Settings
from mmsuper.projects.superposed_decoding.presets import settings_of
from mmsuper.registry import MODELS

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from mmsuper.projects.superposed_decoding.generate import Drafts
    from mmsuper.projects.superposed_decoding.ngrams import NgramIndex

# Fills up batches whose texts end at different lengths, and is cut off again.
PAD = 0


@MODELS.register_module()
class DraftComparison(BaseModel):
    """Completes prompts by several decoders; for ``test``, with the metrics of drafts.

    The language model, its tokenizer and the index are loaded when the first prompt comes.
    Prompts are decoded one by one, so that the time of each is that of a batch of one.

    Args:
        decoders: ``{name: how}``. With ``preset``, superposed: the paper's settings of that
            name, and what else is given instead of theirs. Otherwise the arguments of the
            model's ``generate``, such as ``num_beams``.
        pretrained: Hugging Face folder or name on the hub; ``test`` puts its CHECKPOINT here.
        ngrams: Folder of an index; superposed drafts are smoothed only with one.
        dtype: Of the weights; as they are stored if None.
        device_map: How accelerate spreads the model over devices.
        seed: Of the decoders that draw, set anew for each prompt.
    """

    def __init__(
        self,
        decoders: Mapping[str, Mapping[str, Any]],
        pretrained: str,
        ngrams: str | None = None,
        dtype: str | None = None,
        device_map: str | Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.pretrained, self.ngrams, self.seed = pretrained, ngrams, seed
        self.dtype, self.device_map = dtype, device_map
        self.superposed = {n: settings_of(how) for n, how in decoders.items() if "preset" in how}
        self.decoders = {name: dict(how) for name, how in decoders.items()}

    @cached_property
    def language_model(self) -> PreTrainedModel:
        """The model whose drafts are compared."""
        from mmsuper.llm import load_model

        device = self.data_preprocessor.device
        model = load_model(self.pretrained, self.dtype, device, self.device_map)
        # What a model's makers prefer, such as a temperature, is not what is compared.
        ends = model.generation_config.eos_token_id
        model.generation_config = type(model.generation_config)(eos_token_id=ends)
        return model

    @cached_property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The model's tokenizer."""
        from mmsuper.llm import load_tokenizer

        return load_tokenizer(self.pretrained)

    @cached_property
    def index(self) -> NgramIndex | None:
        """The n-grams that superposed drafts are smoothed with."""
        from mmsuper.projects.superposed_decoding.ngrams import NgramIndex

        return NgramIndex.open(self.ngrams, self.tokenizer) if self.ngrams else None

    def forward(
        self,
        inputs: Sequence[Tensor],
        data_samples: Sequence[BaseDataElement],
        mode: str = "predict",
    ) -> list[BaseDataElement]:
        """Complete prompts.

        Args:
            inputs: Ids of each prompt.
            data_samples: May say ``max_new_tokens`` for a prompt; what else they hold is
                handed on.
            mode: Only ``predict`` has a meaning.

        Returns:
            For each prompt ``prompt``, and by decoder ``drafts`` (ids), ``texts`` and
            ``seconds``.
        """
        if mode != "predict":
            raise UserError("DraftComparison trains nothing; use it with `test`")
        return [
            self._compared(ids.tolist(), sample)
            for ids, sample in zip(inputs, data_samples, strict=True)
        ]

    def _compared(self, prompt: list[int], sample: BaseDataElement) -> BaseDataElement:
        # Loading what is needed is not part of the first prompt's time.
        _ = self.language_model, self.index
        drafts, texts, seconds = {}, {}, {}
        for name in self.decoders:
            torch.manual_seed(self.seed)
            begin = time.perf_counter()
            found = self.complete(name, prompt, sample.get("max_new_tokens"))
            seconds[name] = time.perf_counter() - begin
            drafts[name] = [list(draft.ids) for draft in found.drafts]
            texts[name] = list(found.texts)
        result = BaseDataElement(prompt=prompt, drafts=drafts, texts=texts, seconds=seconds)
        result.set_data(sample.to_dict())
        return result

    def complete(
        self, decoder: str, prompt: Sequence[int], max_new_tokens: int | None = None
    ) -> Drafts:
        """The drafts of one prompt by one decoder, best first, as far as it ranks them.

        Args:
            decoder: Its name.
            prompt: Ids.
            max_new_tokens: How many to add; as the settings of the superposed decoders say if
                None, or the paper's ten if there are none.
        """
        from mmsuper.projects.superposed_decoding.generate import Drafts, superposed_generate

        settings = self.superposed.get(decoder)
        usual = settings or next(iter(self.superposed.values()), Settings())
        length = max_new_tokens or usual.max_new_tokens
        if settings is not None:
            k, prompts = settings.drafts, [list(prompt)]
            (found,) = superposed_generate(
                self.language_model,
                self.tokenizer,
                prompts,
                k,
                length,
                self.index,
                settings=settings,
            )
            return found
        ids = torch.tensor([list(prompt)], device=self.language_model.device)
        options = {"max_new_tokens": length, "pad_token_id": PAD, **self.decoders[decoder]}
        model: Any = self.language_model
        rows = model.generate(ids, attention_mask=torch.ones_like(ids), **options)
        ends = model.generation_config.eos_token_id
        ends = [ends] if isinstance(ends, int) else ends or []
        drafts = tuple(_until_end(row[len(prompt) :].tolist(), ends) for row in rows)
        return Drafts(tuple(prompt), drafts, (), (), self.tokenizer)


def _until_end(ids: list[int], ends: Sequence[int]) -> Draft:
    """A draft without what fills up a batch after its end; it has no score here."""
    stops = [place for place, token in enumerate(ids, 1) if token in ends]
    return Draft(tuple(ids[: stops[0]] if stops else ids), math.nan, finished=bool(stops))
