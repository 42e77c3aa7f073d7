"""The authors' TTVSR checkpoints to ours, and back.

Both layouts hold the same tensors under different names. Theirs has besides the mean and
deviation of colours, which are constants, and a counter of training steps; its names begin
with ``generator.``, being those of a whole restorer. OpenMMLab's file of SPyNet alone, with
which training begins, is read into a flow network alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor, nn

from mmsuper.checkpoint import load_renamed
from mmsuper.errors import UserError
from mmsuper.projects.ttvsr.network import TTVSR, SPyNet

# Beginnings of our names and the authors', and where they are layers of a list.
_PARTS = {"spynet": "spynet", "features": "feat_extractor.main", "trunk": "resblocks.main"}
_LAYERS = {
    "attention.fusion": "LTAM.fusion",
    "enlarge.0": "fusion",
    "enlarge.2": "upsample1.upsample_conv",
    "enlarge.5": "upsample2.upsample_conv",
    "enlarge.8": "conv_hr",
    "enlarge.10": "conv_last",
}
_PREFIX = "generator."
_LEFT_OUT = {"step_counter", "spynet.mean", "spynet.std", "mean", "std"}
_FIRST_OF_FLOW = "basic_module.0.basic_module.0.conv.weight"

# What their files call the tensors.
WRAPPER = "state_dict"


def is_official(state_dict: Mapping[str, Tensor]) -> bool:
    """Whether the keys are those of the authors' release, or of OpenMMLab's SPyNet."""
    return any(key.endswith(_FIRST_OF_FLOW) for key in state_dict)


def from_official(state_dict: Mapping[str, Tensor], **network: object) -> TTVSR:
    """Build the network of an authors' checkpoint and load it strictly.

    Args:
        state_dict: Their tensors by their names, unwrapped (see
            :func:`mmsuper.checkpoint.tensors`).
        network: Arguments of :class:`TTVSR` that tensors do not tell (``stride``,
            ``frame_stride``). Those that tensors do tell may be given too, and must agree.

    Returns:
        The network in evaluation mode.

    Raises:
        UserError: If an argument contradicts the tensors, or tensors are missing or unknown.
    """
    told = infer_arguments(state_dict)
    for name, value in told.items():
        if network.get(name, value) != value:
            raise UserError(f"the checkpoint says that {name} is {value}, not {network[name]}")
    model = TTVSR(**{**told, **network})
    load_official(model, state_dict)
    return model.eval()


def load_official(model: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Load the authors' tensors into a network, or the one inside a model.

    Args:
        model: A :class:`TTVSR`, a model that contains one, or a bare :class:`SPyNet` for
            OpenMMLab's file of it.
        state_dict: Their tensors by their names.

    Raises:
        UserError: If a tensor is missing, unknown or of another shape.
    """
    network = network_of(model)
    names = official_names(network)
    load_renamed(network, _given(state_dict), names, type(network).__name__)


def to_official(network: TTVSR) -> dict[str, Tensor]:
    """The network's tensors under the authors' names, with their constants."""
    own, names = network.state_dict(), official_names(network)
    found = {theirs: own[ours] for ours, theirs in names.items()}
    found |= {"spynet.mean": network.spynet.mean, "spynet.std": network.spynet.std}
    return {_PREFIX + theirs: value for theirs, value in found.items()}


def official_names(model: nn.Module) -> dict[str, str]:
    """``{our key: the authors' key}``, without their ``generator.``, of a network's tensors."""
    network = network_of(model)
    rename = _flow_name if isinstance(network, SPyNet) else _name
    return {key: rename(key) for key in network.state_dict()}


def infer_arguments(state_dict: Mapping[str, Tensor]) -> dict[str, int]:
    """Arguments of the network that the shapes of the authors' tensors determine.

    Raises:
        UserError: If these are not the authors' tensors, or those of the flow network alone.
    """
    given = _given(state_dict)
    first = given.get("resblocks.main.0.weight")
    if not is_official(state_dict) or first is None:
        raise UserError("these are not TTVSR weights in the authors' layout")
    blocks = [re.fullmatch(r"resblocks\.main\.2\.\d+\.conv1\.weight", key) for key in given]
    return {"mid_channels": len(first), "num_blocks": sum(map(bool, blocks))}


def network_of(model: nn.Module) -> TTVSR | SPyNet:
    """The network inside a model; a flow network only where there is no other.

    Raises:
        UserError: If there is none.
    """
    for kind in (TTVSR, SPyNet):
        found = next((module for module in model.modules() if isinstance(module, kind)), None)
        if found is not None:
            return found
    raise UserError(f"{type(model).__name__} contains no TTVSR")


def _given(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    bare = {key.removeprefix(_PREFIX): value for key, value in state_dict.items()}
    return {key: value for key, value in bare.items() if key not in _LEFT_OUT}


def _name(key: str) -> str:
    layer, _, which = key.rpartition(".")
    if layer in _LAYERS:
        return f"{_LAYERS[layer]}.{which}"
    part, _, rest = key.partition(".")
    return f"{_PARTS[part]}.{_flow_name(rest) if part == 'spynet' else _trunk_name(rest)}"


def _flow_name(key: str) -> str:
    """``levels.I.J.*``, where every other J is a ReLU."""
    _, level, layer, which = key.split(".")
    return f"basic_module.{level}.basic_module.{int(layer) // 2}.conv.{which}"


def _trunk_name(key: str) -> str:
    """Layer 0, or from layer 2 on the blocks, which the authors have in a list."""
    layer, _, rest = key.partition(".")
    return f"2.{int(layer) - 2}.{rest}" if int(layer) else key
