"""The authors' SViT checkpoints (they say STViT) to ours, and back.

Both layouts hold the same tensors under different names; theirs has besides, in every
block, two constant kernels that fold and unfold neighbourhoods. 1x1 convolutions are
matrices here.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from mmsuper.checkpoint import load_renamed
from mmsuper.errors import UserError
from mmsuper.projects.svit.network import Pointwise, SViT, SViTClassifier, SViTNeck

# Our module names in a block and the authors'.
_BLOCK = {
    "position": "pos_embed.conv",
    "norm1": "norm1.norm",
    "attention.refine.qkv": "attn.stoken_refine.qkv",
    "attention.refine.proj": "attn.stoken_refine.proj",
    "norm2": "norm2",
    "ffn.fc1": "mlp2.fc1",
    "ffn.mix": "mlp2.conv.conv",
    "ffn.fc2": "mlp2.fc2",
    "gamma1": "gamma_1",
    "gamma2": "gamma_2",
}
_CLASSIFIER = {"neck.proj": "proj", "neck.norm": "norm", "head.fc": "head"}
# Heads of the released variants; no tensor's shape tells them.
_HEADS = {
    (64, 128, 320, 512): (1, 2, 5, 8),
    (96, 192, 384, 512): (2, 3, 6, 8),
    (96, 192, 448, 640): (2, 3, 7, 10),
}
_FOLDS = (".attn.fold.weights", ".attn.unfold.weights")

# What their files call the tensors.
WRAPPER = "model"


def is_official(state_dict: Mapping[str, Tensor]) -> bool:
    """Whether the keys are those of the authors' release."""
    return "layers.0.blocks.0.pos_embed.conv.weight" in state_dict


def from_official(state_dict: Mapping[str, Tensor], **network: object) -> SViTClassifier:
    """Build the classifier of an authors' checkpoint and load it strictly.

    Args:
        state_dict: Their tensors by their names, unwrapped (see
            :func:`mmsuper.checkpoint.tensors`).
        network: Arguments of :class:`SViT` that tensors do not tell (``num_heads`` but of
            the released variants, ``stoken_size``, ``n_iter``, ``qk_scale`` ...). Those that
            tensors do tell may be given too, and must agree.

    Returns:
        The classifier in evaluation mode.

    Raises:
        UserError: If an argument contradicts the tensors, or tensors are missing or unknown.
    """
    if not is_official(state_dict):
        raise UserError("these are not SViT weights in the authors' layout")
    told = infer_arguments(state_dict)
    for name, value in told.items():
        given = network.get(name, value)
        if (list(given) if isinstance(value, list) else given) != value:
            raise UserError(f"the checkpoint says that {name} is {value!r}, not {given!r}")
    arguments = {**told, **network}
    if "num_heads" not in arguments:
        heads = _HEADS.get(tuple(told["embed_dim"]))
        if heads is None:
            raise UserError("the checkpoint is of no released SViT: say its num_heads")
        arguments["num_heads"] = heads
    head = {name: arguments.pop(name) for name in ("projection", "num_classes")}
    model = SViTClassifier(SViT(**{**arguments, "out_indices": (3,)}), **head)
    load_official(model, state_dict)
    return model.eval()


def load_official(model: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Load the authors' tensors into a classifier, or into the backbone of any other model.

    Args:
        model: A :class:`SViTClassifier`, a bare :class:`SViT`, or a host library's model
            that contains them; without a :class:`SViTNeck` it is no classifier, and what
            the checkpoint holds beyond the backbone is left out.
        state_dict: Their tensors by their names.

    Raises:
        UserError: If a tensor is missing, unknown or of another shape.
    """
    names, own = official_names(model), model.state_dict()
    left_out = [] if "neck.proj.weight" in names else [*_CLASSIFIER.values()]
    matrices = {theirs for ours, theirs in names.items() if own[ours].ndim == 2}
    given = {
        key: value.flatten(1) if key in matrices else value
        for key, value in state_dict.items()
        if key.partition(".")[0] not in left_out and not key.endswith(_FOLDS)
    }
    counters = [theirs for theirs in names.values() if theirs.endswith("num_batches_tracked")]
    load_renamed(model, given, names, "SViT", counters)


def to_official(model: nn.Module) -> dict[str, Tensor]:
    """A model's tensors under the authors' names, with their constant kernels."""
    own, names = model.state_dict(), official_names(model)
    matrices = {
        f"{name}.weight" for name, part in model.named_modules() if isinstance(part, Pointwise)
    }
    found = {
        theirs: own[ours][..., None, None] if ours in matrices else own[ours]
        for ours, theirs in names.items()
    }
    place = ".pos_embed.conv.weight"
    blocks = [key.removesuffix(place) for key in found if key.endswith(place)]
    identity = torch.eye(9).view(9, 1, 3, 3)
    return found | {block + fold: identity.clone() for block in blocks for fold in _FOLDS}


def official_names(model: nn.Module) -> dict[str, str]:
    """``{our key in the model: the authors' key}`` of what both have."""
    prefixes = {
        type(part): f"{name}." if name else ""
        for name, part in model.named_modules()
        if isinstance(part, SViT | SViTNeck)
    }
    if SViT not in prefixes:
        raise UserError(f"{type(model).__name__} contains no SViT")
    backbone = prefixes[SViT]
    names = {}
    for key in model.state_dict():
        if key.startswith(backbone):
            theirs = _backbone_name(key.removeprefix(backbone))
        else:
            theirs = _renamed(key, _CLASSIFIER) if SViTNeck in prefixes else None
        if theirs is not None:
            names[key] = theirs
    return names


def _backbone_name(key: str) -> str | None:
    part, _, rest = key.partition(".")
    if part == "stem":
        return f"patch_embed.proj.{rest}"
    if part == "downsamples":
        stage, _, rest = rest.partition(".")
        return f"layers.{stage}.downsample.proj.{rest}"
    if part == "stages":
        stage, block, rest = rest.split(".", 2)
        return f"layers.{stage}.blocks.{block}.{_renamed(rest, _BLOCK)}"
    return None  # norms for dense heads, which the authors' release does not have


def _renamed(key: str, modules: Mapping[str, str]) -> str | None:
    """The key with the beginning that ``modules`` names replaced."""
    for ours, theirs in modules.items():
        if key == ours or key.startswith(f"{ours}."):
            return theirs + key[len(ours) :]
    return None


def network_of(model: nn.Module) -> nn.Module:
    """The part of a model that is this paper's: a whole classifier, or the backbone."""
    parts = list(model.modules())
    if any(isinstance(part, SViTNeck) for part in parts):
        return model
    return next(part for part in parts if isinstance(part, SViT))


def infer_arguments(state_dict: Mapping[str, Tensor]) -> dict:
    """Arguments of the network that the shapes of the authors' tensors determine."""
    shape = {key: tuple(value.shape) for key, value in state_dict.items()}
    blocks = [key.split(".") for key in shape if key.endswith(".pos_embed.conv.weight")]
    stages = range(1 + max(int(parts[1]) for parts in blocks))
    first = [f"layers.{i}.blocks.0." for i in stages]
    embed_dim = [shape[f"{block}pos_embed.conv.weight"][0] for block in first]
    return {
        "in_chans": shape["patch_embed.proj.0.weight"][1],
        "embed_dim": embed_dim,
        "depths": [sum(int(parts[1]) == i for parts in blocks) for i in stages],
        "mlp_ratio": shape[f"{first[0]}mlp2.fc1.weight"][0] / embed_dim[0],
        "qkv_bias": f"{first[0]}attn.stoken_refine.qkv.bias" in shape,
        "layerscale": [f"{block}gamma_1" in shape for block in first],
        "projection": shape["proj.weight"][0],
        "num_classes": shape["head.weight"][0],
    }
