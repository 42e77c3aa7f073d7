"""Hugging Face causal language models as models of MMEngine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from mmsuper.errors import UserError
from mmsuper.llm.loading import load_model, transformers
from mmsuper.llm.perplexity import token_losses
from mmsuper.registry import MODELS

# What losses of transformers leave out.
_IGNORED = -100


@MODELS.register_module()
class CausalLM(BaseModel):
    """Any causal language model of ``transformers``; ``model`` is the model itself.

    Args:
        pretrained: A Hugging Face folder, or the name of a model on the hub.
        config: Without ``pretrained``, what describes a model with random weights:
            ``model_type`` and the arguments of that type's configuration.
        dtype: Of the weights; as they are stored, or float32 for random ones, if None.
        device_map: How accelerate spreads a model over devices to be tested; see
            :func:`mmsuper.llm.load_model`.
        options: More arguments of ``from_pretrained`` or ``from_config``, such as
            ``attn_implementation``.

    Raises:
        UserError: If there is no such model.
    """

    def __init__(
        self,
        pretrained: str | None = None,
        config: Mapping[str, Any] | None = None,
        dtype: str | None = None,
        device_map: str | Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.device_map = device_map
        if pretrained is not None:
            self.model = load_model(pretrained, dtype, device_map=device_map, options=options)
        elif config is not None:
            self.model = _random(dict(config), dtype or "float32", options or {})
        else:
            raise UserError("CausalLM takes pretrained (a folder or a name) or config (a dict)")

    def forward(
        self,
        inputs: Tensor | Sequence[Tensor],
        data_samples: Sequence[BaseDataElement] | None = None,
        mode: str = "tensor",
    ) -> Any:
        """Run the model as MMEngine does.

        Args:
            inputs: Token ids (B, T), or a list of B of different lengths.
            data_samples: For ``predict``: ``scored``, how many of the last tokens count, and
                ``text``, which text they are of.
            mode: ``loss`` gives the model's own next-token loss; ``predict`` a data element a
                sample with ``text``, ``nll`` (the sum of the scored tokens' ``-log p``) and
                ``tokens`` (their count); ``tensor`` the logits (B, T, V).
        """
        ids, labels = _pad(inputs)
        if mode == "loss":
            return {"loss": self.model(input_ids=ids, labels=labels, use_cache=False).loss}
        logits = self.model(input_ids=ids, use_cache=False).logits
        if mode == "tensor":
            return logits
        assert data_samples is not None
        return [
            BaseDataElement(
                text=sample.text,
                tokens=sample.scored,
                nll=_sum_of_last(one[None, : len(own)], own[None], sample.scored),
            )
            for one, own, sample in zip(logits, inputs, data_samples, strict=True)
        ]

    def init_weights(self) -> None:
        """Leave the weights alone: MMEngine would have them drawn anew, loaded ones too."""

    def to(self, *arguments: Any, **options: Any) -> CausalLM:
        """Move to a device, unless accelerate has placed the parts."""
        if self.device_map is None:
            return super().to(*arguments, **options)
        self._set_device(self.model.device)
        return self


def _random(config: dict[str, Any], dtype: str, options: Mapping[str, Any]) -> Any:
    library = transformers()
    try:
        described = library.AutoConfig.for_model(**config)
        return library.AutoModelForCausalLM.from_config(described, dtype=dtype, **options)
    except (TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"the model's config makes no causal language model: {reason}") from error


def _pad(inputs: Tensor | Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Ids filled up at the right, which no earlier token sees, and labels that leave that out."""
    if isinstance(inputs, Tensor):
        return inputs, inputs
    ids = pad_sequence(list(inputs), batch_first=True)
    labels = pad_sequence(list(inputs), batch_first=True, padding_value=_IGNORED)
    return ids, labels


def _sum_of_last(logits: Tensor, ids: Tensor, count: int) -> float:
    losses = token_losses(logits, ids)
    return float(losses[0, losses.shape[1] - count :].sum(dtype=torch.float64))
