"""What the recorded SViT cases compare: super token attention alone, or a classifier."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from mmsuper.parity import Case, fill
from mmsuper.projects.svit.convert import from_official
from mmsuper.projects.svit.network import (
    SuperTokenAttention,
    SuperTokenMaps,
    SViTClassifier,
    super_token_maps,
)

# Labels are compared where the two best associations differ by more than this.
LABEL_MARGIN = 1e-5


def outputs(case: Case) -> dict[str, Tensor | np.ndarray]:
    """Compute every output that the case records."""
    image = fill.image(case.spec["input"]["seed"], case.spec["input"]["shape"])
    network = dict(case.spec["network"])
    if network.pop("class") == "StokenAttention":
        tokens = torch.from_numpy(4 * (image - 0.5))
        with torch.no_grad():
            return {"output": _attention(network, case.weights())(tokens)}
    model = from_official(case.weights(), **network)
    return _classify(model, torch.from_numpy(image), list(case.spec["outputs"]))


def _attention(network: dict, weights: dict[str, Tensor]) -> SuperTokenAttention:
    refine, by_attention = network.pop("refine", True), network.pop("refine_attention", True)
    kind = "none" if not refine else "attention" if by_attention else "conv"
    module = SuperTokenAttention(**network, refine=kind).eval()
    own = module.state_dict()
    renamed = {key.replace("stoken_refine", "refine"): value for key, value in weights.items()}
    module.load_state_dict({key: value.view(own[key].shape) for key, value in renamed.items()})
    return module


def _classify(model: SViTClassifier, image: Tensor, wanted: list[str]) -> dict:
    """Run a classifier once and keep what is wanted of it."""
    found: dict[str, Tensor | np.ndarray] = {}
    for name in wanted:
        module = _stage(model, name)
        if module is not None:
            module.register_forward_hook(_keep(found, name))
    image.requires_grad_("input_grad" in wanted)
    with super_token_maps(model) as maps:
        found["logits"] = model(image)
    if image.requires_grad:
        (found["logits"].square().sum() / 2).backward()
        found["input_grad"] = image.grad
    for name in wanted:
        match = re.fullmatch(r"stage(\d+)_block(\d+)_(association|attention|labels)", name)
        if match:
            of_block = maps[f"backbone.stages.{match[1]}.{match[2]}.attention"]
            found[name] = _map(of_block, match[3])
    return {name: _detached(value) for name, value in found.items()}


def _stage(model: SViTClassifier, name: str) -> nn.Module | None:
    """The module whose output a case calls ``name``."""
    backbone = model.backbone
    if name in ("patch_embed", "head_features"):
        return backbone.stem if name == "patch_embed" else model.neck
    match = re.fullmatch(r"stage(\d+)(?:_(downsampled|block(\d+)(?:_(\w+))?))?", name)
    if match is None:
        return None
    stage = int(match[1])
    if match[2] is None:
        return backbone.stages[stage][-1]
    if match[2] == "downsampled":
        return backbone.downsamples[stage]
    block = backbone.stages[stage][int(match[3])]
    parts = {
        None: block,
        "cpe": block.position,
        "attn_branch": block.attention,
        "ffn_branch": block.ffn,
    }
    return parts.get(match[4])


def _keep(found: dict, name: str) -> Callable:
    def hook(module: nn.Module, inputs: tuple, out: Tensor | tuple[Tensor]) -> None:
        found[name] = out[0] if isinstance(out, tuple) else out

    return hook


def _map(maps: SuperTokenMaps, kind: str) -> Tensor | np.ndarray | None:
    if kind != "labels":
        return getattr(maps, kind)
    height, width = maps.size
    best = maps.association[0, :, :height, :width].topk(2, dim=0).values
    undecided = best[0] - best[1] <= LABEL_MARGIN
    return np.ma.MaskedArray(maps.labels()[0].numpy(), mask=undecided.numpy())


def _detached(value: Tensor | np.ndarray) -> Tensor | np.ndarray:
    return value.detach() if isinstance(value, Tensor) else value
