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
    """Enlarge a clip and keep what was on the way."""
    frames = clip.transpose(0, 1)
    steps = clip.shape[1] - 1
    locations: list[Tensor] = []
    attended: list[Tensor] = []
    states: list[Tensor] = []

    def look(module: object, inputs: tuple[Tensor, Tensor, Memory], out: Tensor) -> None:
        locations.append(coordinates(inputs[2]))
        attended.append(out)

    network.attention.register_forward_hook(look)
    network.trunk.register_forward_hook(lambda module, inputs, out: states.append(out))
    enlarged = network(clip)
    to_next, to_previous = network.flows(frames)
    return {
        "flows_backward": torch.stack(to_next, dim=1),
        "flows_forward": torch.stack(to_previous, dim=1),
        "feature_first": network.extract(frames[:1])[0],
        "location_backward_last": locations[steps - 1],
        "location_forward_last": locations[-1],
        "attention_backward_last": attended[steps - 1],
        "attention_forward_last": attended[-1],
        "state_backward_first_frame": states[steps],
        "state_forward_last_frame": states[-1],
        "output": enlarged,
    }


def coordinates(memory: Memory) -> Tensor:
    """Location maps as columns and rows, (N, 2K, h, w), two channels a key frame."""
    grid = memory.grid
    pairs = [memory.locations % grid.columns, memory.locations // grid.columns % grid.rows]
    maps = torch.stack(pairs, dim=1).view(-1, grid.n, grid.rows, grid.columns)
    return maps.transpose(0, 1)
