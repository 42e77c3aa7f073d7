"""Meta's LLaMA checkpoints, which the authors' code reads, to ``transformers``, and back.

Both hold the same matrices under different names. Meta rotates neighbouring pairs of a head's
channels, ``transformers`` pairs from a head's two halves; so the rows of the query and key
matrices stand in another order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor

from mmsuper.errors import UserError

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

_LAYER = {
    "attention.wq": "self_attn.q_proj",
    "attention.wk": "self_attn.k_proj",
    "attention.wv": "self_attn.v_proj",
    "attention.wo": "self_attn.o_proj",
    "feed_forward.w1": "mlp.gate_proj",
    "feed_forward.w2": "mlp.down_proj",
    "feed_forward.w3": "mlp.up_proj",
    "attention_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
_OTHERS = {
    "tok_embeddings.weight": "model.embed_tokens.weight",
    "norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}


def is_official(state_dict: Mapping[str, Tensor]) -> bool:
    """Whether the keys are those of Meta's release."""
    return "layers.0.attention.wq.weight" in state_dict and "tok_embeddings.weight" in state_dict


def infer_arguments(state_dict: Mapping[str, Tensor]) -> dict[str, int]:
    """Those of Meta's arguments that the tensors tell."""
    vocabulary, width = state_dict["tok_embeddings.weight"].shape
    layers = {key.split(".")[1] for key in state_dict if key.startswith("layers.")}
    hidden = state_dict["layers.0.feed_forward.w1.weight"].shape[0]
    return {
        "dim": width,
        "vocab_size": vocabulary,
        "n_layers": len(layers),
        "ffn_hidden": hidden,
    }


def from_official(state_dict: Mapping[str, Tensor], **network: float) -> LlamaForCausalLM:
    """Build the model of Meta's checkpoint and load it strictly.

    Args:
        state_dict: Their tensors by their names.
        network: Entries of their ``params.json`` that tensors do not tell: ``n_heads``, which
            must be there, ``norm_eps``, ``rope_theta``, ``max_seq_len``. How many key and
            value heads there are, tensors tell.

    Returns:
        The model in float32, in evaluation mode.

    Raises:
        UserError: If tensors are missing or unknown, or the number of heads was not given.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    if not is_official(state_dict):
        raise UserError("these are not LLaMA weights in Meta's layout")
    if "n_heads" not in network:
        raise UserError("no tensor tells how many heads a LLaMA has: say its n_heads")
    told, heads = infer_arguments(state_dict), int(network["n_heads"])
    key_width = state_dict["layers.0.attention.wk.weight"].shape[0]
    config = LlamaConfig(
        vocab_size=told["vocab_size"],
        hidden_size=told["dim"],
        intermediate_size=told["ffn_hidden"],
        num_hidden_layers=told["n_layers"],
        num_attention_heads=heads,
        num_key_value_heads=key_width // (told["dim"] // heads),
        max_position_embeddings=int(network.get("max_seq_len", 2048)),
        rms_norm_eps=network.get("norm_eps", 1e-5),
        rope_parameters={
            "rope_type": "default",
            "rope_theta": float(network.get("rope_theta", 10000.0)),
        },
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config)
    names = {_name(key): key for key in state_dict if key != "rope.freqs"}
    missing = sorted(model.state_dict().keys() - names.keys())
    unknown = [names[ours] for ours in sorted(names.keys() - model.state_dict().keys())]
    if missing or unknown:
        raise UserError(
            f"the checkpoint is of another network: {len(missing)} tensors are missing "
            f"{missing[:1]} and {len(unknown)} unknown {unknown[:1]}"
        )
    width = told["dim"] // heads
    model.load_state_dict(
        {ours: _halves(theirs, state_dict[theirs], width) for ours, theirs in names.items()}
    )
    return model.eval()


def to_official(model: LlamaForCausalLM) -> dict[str, Tensor]:
    """A model's tensors under Meta's names and in Meta's order."""
    back = {ours: theirs for theirs, ours in _LAYER.items()}
    others = {ours: theirs for theirs, ours in _OTHERS.items()}
    found = {}
    for ours, value in model.state_dict().items():
        match = re.fullmatch(r"model\.layers\.(\d+)\.(.+)\.weight", ours)
        theirs = f"layers.{match[1]}.{back[match[2]]}.weight" if match else others[ours]
        found[theirs] = _pairs(theirs, value, model.config.head_dim)
    return found


def _name(theirs: str) -> str:
    """Our name of a tensor; itself if it has none."""
    match = re.fullmatch(r"layers\.(\d+)\.(.+)\.weight", theirs)
    if match:
        return f"model.layers.{match[1]}.{_LAYER.get(match[2], match[2])}.weight"
    return _OTHERS.get(theirs, theirs)


def _halves(name: str, matrix: Tensor, width: int) -> Tensor:
    """Rows of a query or key matrix, neighbouring pairs to halves of a head."""
    if not re.search(r"\.w[qk]\.", name):
        return matrix
    return matrix.view(-1, width // 2, 2, matrix.shape[1]).transpose(1, 2).reshape(matrix.shape)


def _pairs(name: str, matrix: Tensor, width: int) -> Tensor:
    """Rows of a query or key matrix, halves of a head to neighbouring pairs."""
    if not re.search(r"\.w[qk]\.", name):
        return matrix
    return matrix.view(-1, 2, width // 2, matrix.shape[1]).transpose(1, 2).reshape(matrix.shape)
