"""The authors' DLGSANet checkpoints to ours, and back.

Both layouts hold the same tensors under different names, so the way there and back loses
nothing. Every hyper-parameter that tensor shapes determine is read from them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from torch import Tensor, nn

from mmsuper.checkpoint import load_renamed
from mmsuper.errors import UserError
from mmsuper.projects.dlgsanet.network import ChannelNorm, DLGSANet, GlobalLayer, LocalLayer

# Our module names and the authors', by where they stand.
_LOCAL = {
    "norm1": "norm1.body",
    "norm2": "norm2.body",
    "attention.project_in": "IDynamicDWConv.conv0",
    "attention.project_out": "IDynamicDWConv.conv1",
    "attention.hyper": "IDynamicDWConv.conv.conv1",
    "attention.kernel": "IDynamicDWConv.conv.conv2.0",
    "attention.static": "IDynamicDWConv.conv",
    "ffn": "IDynamic_ffn",
}
_GLOBAL = {
    "norm3": "norm3.body",
    "norm4": "norm4.body",
    "attention": "restormer_attn",
    "ffn": "restormer_ffn",
}
# The window side the authors evaluate with; nothing in a checkpoint tells it.
TLC_KERNEL = {2: 96, 3: 72, 4: 48}

# What their files call the tensors.
WRAPPER = "params"


def is_official(state_dict: Mapping[str, Tensor]) -> bool:
    """Whether the keys are those of the authors' release."""
    return "overlap_embed.0.proj.weight" in state_dict


def from_official(state_dict: Mapping[str, Tensor], **network: object) -> DLGSANet:
    """Build the network of an authors' checkpoint and load it strictly.

    Args:
        state_dict: Their tensors by their names, unwrapped (see
            :func:`mmsuper.checkpoint.tensors`).
        network: Constructor arguments of :class:`DLGSANet` that tensors do not tell
            (``tlc_kernel``, ``activation``, ``img_range``, ``sparseedge`` or ``edge``). Those
            that tensors do tell may be given too, and must agree.

    Returns:
        The network in evaluation mode.

    Raises:
        UserError: If an argument contradicts the tensors, or tensors are missing or unknown.
    """
    if not is_official(state_dict):
        raise UserError("these are not DLGSANet weights in the authors' layout")
    arguments = infer_arguments(state_dict)
    for name, value in arguments.items():
        given = network.get(name, value)
        if given != value and {given, value} != {"edge", "sparseedge"}:
            raise UserError(f"the checkpoint says that {name} is {value!r}, not {given!r}")
    arguments["tlc_kernel"] = TLC_KERNEL.get(arguments.get("upscale", 1), 48)
    model = DLGSANet(**{**arguments, **network})
    load_official(model, state_dict)
    return model.eval()


def load_official(model: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Load the authors' tensors into a network, or the one inside a model.

    Raises:
        UserError: If a tensor is missing, unknown or of another shape.
    """
    network = network_of(model)
    load_renamed(network, state_dict, official_names(network), "DLGSANet")


def to_official(network: DLGSANet) -> dict[str, Tensor]:
    """The network's tensors under the authors' names."""
    names = official_names(network)
    return {names[key]: value for key, value in network.state_dict().items()}


def network_of(model: nn.Module) -> DLGSANet:
    """The network inside a model, or itself."""
    return next(part for part in model.modules() if isinstance(part, DLGSANet))


def official_names(network: DLGSANet) -> dict[str, str]:
    """``{our key: the authors' key}`` of every tensor of a network."""
    modules = {"embed": "overlap_embed.0.proj", **_upsampler_names(len(network.upsample))}
    for i, part in enumerate(network.deep):
        there = f"deep_feature_extraction.{i}"
        modules[f"deep.{i}"] = f"{there}.body" if isinstance(part, ChannelNorm) else there
        for j, layer in enumerate(getattr(part, "body", ())):
            names = _LOCAL if isinstance(layer, LocalLayer) else _GLOBAL
            if isinstance(layer, LocalLayer | GlobalLayer):
                for ours, theirs in names.items():
                    modules[f"deep.{i}.body.{j}.{ours}"] = f"{there}.body.{j}.{theirs}"
    return {key: _rename(key, modules) for key in network.state_dict()}


def _rename(key: str, modules: Mapping[str, str]) -> str:
    """Replace the longest dotted beginning of a key that ``modules`` names."""
    parts = key.split(".")
    for end in range(len(parts), 0, -1):
        begin = ".".join(parts[:end])
        if begin in modules:
            return ".".join([modules[begin], *parts[end:]])
    raise KeyError(key)


def _upsampler_names(length: int) -> dict[str, str]:
    """By the number of modules of our ``upsample``: 1 none, 2 direct, else step by step."""
    if length == 1:
        return {"upsample.0": "conv_last"}
    if length == 2:
        return {"upsample.0": "upsample.0"}
    steps = {f"upsample.{i}": f"upsample.{i - 2}" for i in range(2, length - 1)}
    return {"upsample.0": "conv_before_upsample.0", **steps, f"upsample.{length - 1}": "conv_last"}


def infer_arguments(state_dict: Mapping[str, Tensor]) -> dict:
    """Constructor arguments that the shapes of the authors' tensors determine."""
    shape = {key: tuple(value.shape) for key, value in state_dict.items()}
    deep = "deep_feature_extraction."
    body_norm = f"{deep}0.body.weight" in shape
    first = f"{deep}{int(body_norm)}.body."
    local = [key for key in shape if key.startswith(first) and ".norm1.body.weight" in key]
    globl = [key for key in shape if key.startswith(first) and ".norm3.body.weight" in key]
    dim, in_chans = shape["overlap_embed.0.proj.weight"][:2]
    pairs = {(True, True): "sparseedge", (True, False): "idynamic", (False, True): "restormer"}
    found = {
        "dim": dim,
        "in_chans": in_chans,
        "groups": max(int(key.split(".")[1]) for key in shape if deep in key) - 2 * body_norm,
        "blocks": max(len(local), len(globl)),
        "body_norm": body_norm,
        "buildblock_type": pairs[bool(local), bool(globl)],
        **_infer_upsampler(shape, in_chans),
    }
    if local:
        found |= _infer_local(shape, f"{first}0.", dim)
    if globl:
        layer = f"{first}{1 if local else 0}."
        found["restormer_num_heads"] = shape[f"{layer}restormer_attn.temperature"][0]
        found |= _infer_ffn(shape, f"{layer}restormer_ffn.", dim, "restormer")
    return found


def _infer_local(shape: Mapping[str, tuple], layer: str, dim: int) -> dict:
    found = _infer_ffn(shape, f"{layer}IDynamic_ffn.", dim, "idynamic")
    static = shape.get(f"{layer}IDynamicDWConv.conv.weight")
    if static:
        return {**found, "idynamic": False, "window_size": static[-1]}
    side = shape[f"{layer}IDynamicDWConv.conv.conv1.1.weight"][-1]
    groups = shape[f"{layer}IDynamicDWConv.conv.conv2.0.weight"][0] // side**2
    return {**found, "idynamic": True, "window_size": side, "idynamic_num_heads": dim // groups}


def _infer_ffn(shape: Mapping[str, tuple], ffn: str, dim: int, which: str) -> dict:
    gated = shape.get(f"{ffn}project_out.weight")
    hidden = gated[1] if gated else shape[f"{ffn}body.0.weight"][0]
    return {
        f"{which}_ffn_type": "GDFN" if gated else "BaseFFN",
        f"{which}_ffn_expansion_factor": hidden / dim,
    }


def _infer_upsampler(shape: Mapping[str, tuple], in_chans: int) -> dict:
    steps = [shape[key][0] for key in shape if re.fullmatch(r"upsample\.\d+\.weight", key)]
    if "conv_before_upsample.0.weight" in shape:
        return {
            "upsampler": "pixelshuffle",
            "upscale": math.prod(math.isqrt(n // 64) for n in steps),
        }
    if steps:
        return {"upsampler": "pixelshuffledirect", "upscale": math.isqrt(steps[0] // in_chans)}
    return {"upsampler": ""}
