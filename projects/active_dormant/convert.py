"""The authors' checkpoints of the toy models to ours, and back.

Names are the same. Theirs hold constants besides: the table of sines and cosines (``pe``),
and of the reduced model the identity as embedding and a vector of ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from mmsuper.checkpoint import load_renamed
from mmsuper.errors import UserError
from mmsuper.projects.active_dormant.network import ReducedModel, ToyTransformer

# What a file of :func:`to_official` calls the tensors.
WRAPPER = "state_dict"
_CONSTANTS = re.compile(r"pe$|embedding\.weight$|layers\.\d+\.attention\.qk_direction$")
_FIRST = ("pos_embeddings.weight", "layers.0.attention.qk_bos")


def is_official(state_dict: Mapping[str, Tensor]) -> bool:
    """Whether the keys are those of a toy model by itself."""
    return any(key in state_dict for key in _FIRST)


def from_official(
    state_dict: Mapping[str, Tensor], **network: Any
) -> ToyTransformer | ReducedModel:
    """Build the model of an authors' checkpoint and load it strictly.

    Args:
        state_dict: Their tensors by their names.
        network: Arguments of :class:`ToyTransformer` or :class:`ReducedModel` that tensors do
            not tell: heads, the order of norms, ReLU, layers whose attention is unused.

    Returns:
        The model in evaluation mode.

    Raises:
        UserError: If tensors are missing, unknown or of another shape.
    """
    kind = ToyTransformer if _FIRST[0] in state_dict else ReducedModel
    model = kind(**{**infer_arguments(state_dict), **network})
    load_official(model, state_dict)
    return model.eval()


def infer_arguments(state_dict: Mapping[str, Tensor]) -> dict[str, Any]:
    """What the shapes of an authors' checkpoint tell of the model's arguments."""
    hidden = [value.shape[0] for key, value in state_dict.items() if key.endswith("ff.w1.weight")]
    told: dict[str, Any] = {"hidden_dim": hidden[0]} if hidden else {}
    if _FIRST[0] not in state_dict:
        return {**told, "vocab_size": len(state_dict[_FIRST[1]])}
    layers = range(len({key.split(".")[1] for key in state_dict if key.startswith("layers.")}))

    def without(part: str) -> tuple[int, ...]:
        """The layers that have no tensor of a part."""
        return tuple(i for i in layers if f"layers.{i}.{part}.weight" not in state_dict)

    linear = tuple(i for i in layers if f"layers.{i}.ff.weight" in state_dict)
    vocab_size, dim = state_dict["tok_embeddings.weight"].shape
    return {
        **told,
        "vocab_size": vocab_size,
        "dim": dim,
        "n_layers": len(layers),
        "max_length": len(state_dict["pos_embeddings.weight"]),
        "pre_norm": "norm.weight" in state_dict,
        "sin_cos": "pe" in state_dict,
        "linear_ffn": linear,
        "no_ffn": tuple(i for i in without("ff.w1") if i not in linear),
        "no_attn_norm": without("attention_norm"),
        "no_ffn_norm": without("ff_norm"),
        "no_wv": bool(without("attention.wv")),
        "no_wo": bool(without("attention.wo")),
    }


def load_official(model: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Load an authors' checkpoint into a toy model or a model that contains one, strictly.

    Raises:
        UserError: If the tensors do not fit; nothing is loaded then.
    """
    network = network_of(model)
    theirs = {key: value for key, value in state_dict.items() if not _CONSTANTS.match(key)}
    names = {key: key for key in network.state_dict()}
    load_renamed(network, theirs, names, "toy model")


def network_of(model: nn.Module) -> ToyTransformer | ReducedModel:
    """The toy model inside a model.

    Raises:
        UserError: If there is none.
    """
    for module in model.modules():
        if isinstance(module, (ToyTransformer, ReducedModel)):
            return module
    raise UserError(f"{type(model).__name__} contains no toy model")


def to_official(network: nn.Module) -> dict[str, Tensor]:
    """The tensors of a toy model under the authors' names, without their constants."""
    return dict(network.state_dict())
