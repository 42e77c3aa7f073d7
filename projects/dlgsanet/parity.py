"""What the recorded DLGSANet cases compare: the operation alone, or stages of a network."""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn

from mmsuper.parity import Case, fill
from mmsuper.projects.dlgsanet.convert import from_official
from mmsuper.projects.dlgsanet.network import (
    ChannelNorm,
    DLGSANet,
    GlobalLayer,
    LocalLayer,
    dynamic_depthwise_conv,
)


def outputs(case: Case) -> dict[str, Tensor]:
    """Compute every output that the case records."""
    if "operation" in case.spec["network"]:
        return _operation(case)
    network = from_official(case.weights(), **case.spec["network"])
    network.train(case.spec.get("mode", "eval").startswith("train"))
    found: dict[str, Tensor] = {}
    for name in case.spec["outputs"]:
        if name != "output":
            _stage(network, name).register_forward_hook(
                lambda module, inputs, out, name=name: found.update({name: out})
            )
    image = torch.from_numpy(fill.image(case.spec["input"]["seed"], case.spec["input"]["shape"]))
    with torch.no_grad():
        found["output"] = network(image)
    return found


def _stage(network: DLGSANet, name: str) -> nn.Module:
    """The module whose output a case calls ``name``: shallow, deep, gI, or gI_bJ_PART."""
    if name == "shallow":
        return network.embed
    if name == "deep":
        return network.deep
    match = re.fullmatch(r"g(\d+)(?:_b(\d+)_(mhdlsa|local|gsa|global))?", name)
    if match is None:
        raise KeyError(f"the case asks for an unknown stage {name!r}")
    groups = [part for part in network.deep[:-1] if not isinstance(part, ChannelNorm)]
    group = groups[int(match[1])]
    if match[2] is None:
        return group
    kind = LocalLayer if match[3] in ("mhdlsa", "local") else GlobalLayer
    layer = [part for part in group.body if isinstance(part, kind)][int(match[2])]
    return layer.attention if match[3] in ("mhdlsa", "gsa") else layer


def _operation(case: Case) -> dict[str, Tensor]:
    """The dynamic convolution with given kernels.

    Ours predicts kernels from features by a matrix; with the kernels as features and the
    identity as matrix it is the plain operation, so this tests the code the network runs.
    """
    spec, inputs = case.spec["network"], case.spec["input"]
    x = _input(inputs)
    kernels = _input(inputs["weight"])
    identity = torch.eye(kernels.shape[1])
    zeros = torch.zeros(kernels.shape[1])
    x.requires_grad_(), kernels.requires_grad_()
    out = dynamic_depthwise_conv(x, kernels, identity, zeros, spec["kernel_size"])
    out.backward(_input(inputs["cotangent"]))
    return {"output": out.detach(), "grad_x": x.grad, "grad_weight": kernels.grad}


def _input(spec: dict) -> Tensor:
    return torch.from_numpy(fill.image(spec["seed"], spec["shape"]) - spec.get("minus", 0.0))
