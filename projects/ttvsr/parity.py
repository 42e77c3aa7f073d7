"""What the recorded TTVSR cases compare: a clip's flow, location maps, states and frames."""

from __future__ import annotations

import torch
from torch import Tensor

from mmsuper.parity import Case, fill
from mmsuper.projects.ttvsr.convert import from_official
from mmsuper.projects.ttvsr.network import TTVSR, Memory


def outputs(case: Case) -> dict[str, Tensor]:
    """Compute every output that the case records."""
    found = run(*given(case))
    thinned = {f"{name}_s3": value[..., ::3, ::3] for name, value in found.items()}
    return {**found, **thinned}


def given(case: Case) -> tuple[TTVSR, Tensor]:
    """The network of a case and the clip that goes into it, (N, T, 3, H, W)."""
    source = case.spec["input"]
    clip = torch.from_numpy(fill.image(source["seed"], source["shape"]))
    for _ in range(source.get("mirror_extended_times", 0)):
        clip = torch.cat([clip, clip.flip(1)], dim=1)
    return from_official(case.weights(), **case.spec["network"]), clip


@torch.no_grad()
def run(network: TTVSR, clip: Tensor) -> dict[str, Tensor]:
    """Enlarge one clip (1, T, 3, H, W) and keep what was on the way."""
    steps = clip.shape[1] - 1
    made: dict[str, list[Tensor]] = {"location": []}
    for name in ("spynet", "features", "attention", "trunk"):
        kept = made.setdefault(name, [])
        getattr(network, name).register_forward_hook(
            lambda module, inputs, out, kept=kept: kept.append(out)
        )
    network.attention.register_forward_hook(
        lambda module, inputs, out: made["location"].append(coordinates(inputs[2]))
    )
    enlarged = network(clip)
    to_next, to_previous = torch.cat(made["spynet"]).chunk(2)
    return {
        "flows_backward": to_next[None],
        "flows_forward": to_previous[None],
        "feature_first": made["features"][0][:1],
        "location_backward_last": made["location"][steps - 1],
        "location_forward_last": made["location"][-1],
        "attention_backward_last": made["attention"][steps - 1],
        "attention_forward_last": made["attention"][-1],
        "state_backward_first_frame": made["trunk"][steps],
        "state_forward_last_frame": made["trunk"][-1],
        "output": enlarged,
    }


def coordinates(memory: Memory) -> Tensor:
    """Location maps as columns and rows, (N, 2K, h, w), two channels a key frame."""
    grid = memory.grid
    pairs = [memory.locations % grid.columns, memory.locations // grid.columns % grid.rows]
    maps = torch.stack(pairs, dim=1).view(-1, grid.n, grid.rows, grid.columns)
    return maps.transpose(0, 1)
