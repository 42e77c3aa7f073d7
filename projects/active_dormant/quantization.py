"""What peaks of activations cost a model in eight bits, and what keeping them apart gives back.

The usual scheme for eight bits: a linear layer's weights have a scale for each output channel,
its input one scale for all. The largest value sets the scale, so one channel with peaks takes
resolution from all others. Every input channel whose peak is more than :data:`PEAK` times the
median channel's can be kept out: its activations and weights stay as they are, all others
share a scale of their own.

Nothing is sped up: values are rounded to what eight bits would hold and computed as before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from mmsuper.projects.active_dormant import report

#: How much larger than the median channel's a peak is that is kept: two bits.
PEAK = 4.0
_STEPS = 127


@dataclass(frozen=True)
class Layer:
    """The input of a linear layer.

    Attributes:
        name: Of the layer in the model.
        channels: How many channels it has.
        peak: Largest absolute value.
        rest: Largest absolute value of the channels that are not kept.
        kept: Channels with peaks and their largest absolute values, largest first.
    """

    name: str
    channels: int
    peak: float
    rest: float
    kept: list[tuple[int, float]]

    @property
    def bits(self) -> float:
        """Bits of resolution that the peaks take from all other channels."""
        return float(np.log2(self.peak / self.rest)) if self.rest else 0.0


@dataclass(frozen=True)
class Hints:
    """What to keep in high precision, and what that gives.

    Attributes:
        layers: All quantized layers, the most harmed first.
        losses: By kind of text the mean loss of ``full``, ``int8`` and ``int8, peaks kept``.
        left: Names of modules with weight matrices that were left as they are.
    """

    layers: list[Layer]
    losses: dict[str, dict[str, float]]
    left: list[str]

    @property
    def share(self) -> float:
        """Share of the input channels that are kept."""
        return sum(len(one.kept) for one in self.layers) / sum(one.channels for one in self.layers)


def hints(
    model: nn.Module,
    texts: Mapping[str, Tensor],
    batch: int,
    watch: report.Watch = report.unwatched,
) -> Hints:
    """Find peaks, and measure the loss with and without keeping them.

    Scales are read off the same texts that the loss is measured on.

    Args:
        model: A causal language model of transformers, in evaluation mode.
        texts: By kind of text (N, L) ids.
        batch: Texts that go through the model at a time.
        watch: Shows progress.
    """
    modules = linear_layers(model)
    largest, losses = _calibrate(modules, model, texts, batch, watch)
    nothing = {name: torch.zeros_like(peaks, dtype=torch.bool) for name, peaks in largest.items()}
    peaks = {name: is_peak(sizes) for name, sizes in largest.items()}
    for name, kept in (("int8", nothing), ("int8, peaks kept", peaks)):
        with int8({modules[layer]: (largest[layer], kept[layer]) for layer in largest}):
            for kind, ids in texts.items():
                found = report.losses(model, ids, batch, watch, f"{kind}, {name}")
                losses[kind][name] = float(found.mean())
    layers = [_layer(name, sizes, peaks[name]) for name, sizes in largest.items()]
    left = [
        name
        for name, module in model.named_modules()
        if name not in largest and any(p.ndim > 1 for p in module.parameters(recurse=False))
    ]
    return Hints(sorted(layers, key=lambda one: -one.bits), losses, left)


def linear_layers(model: nn.Module) -> dict[str, nn.Module]:
    """Linear layers by name, but for the one that gives logits, which is commonly left."""
    from transformers.pytorch_utils import Conv1D

    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | Conv1D) and module is not model.get_output_embeddings()
    }


def is_peak(sizes: Tensor) -> Tensor:
    """Which channels have peaks, from the largest absolute value of each: (D,)."""
    return sizes > PEAK * sizes.median()


@contextmanager
def int8(layers: Mapping[nn.Module, tuple[Tensor, Tensor]]) -> Iterator[None]:
    """Round weights and inputs of linear layers to eight bits, for the time of a block.

    Args:
        layers: By layer the largest absolute value of each input channel, and which channels
            are kept, both (D,).
    """
    hooks = []
    try:
        for layer, (sizes, kept) in layers.items():
            device = layer.weight.device
            kept = kept.to(device)
            limit = sizes.to(device).masked_fill(kept, 0).amax().clamp_min(1e-12)
            parametrize.register_parametrization(layer, "weight", _Weight(layer, kept))
            hooks.append(layer.register_forward_pre_hook(_rounded_input(limit, kept)))
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for layer in layers:
            if parametrize.is_parametrized(layer):
                parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)


class _Weight(nn.Module):
    """A weight matrix in eight bits: a scale for each output, some inputs kept."""

    def __init__(self, layer: nn.Module, kept: Tensor) -> None:
        super().__init__()
        # The inputs of nn.Linear are its matrix's columns, of GPT-2's Conv1D the rows.
        self.inputs = 1 if isinstance(layer, nn.Linear) else 0
        self.kept = kept if self.inputs else kept[:, None]

    def forward(self, weight: Tensor) -> Tensor:
        sizes = weight.abs().masked_fill(self.kept, 0)
        limit = sizes.amax(self.inputs, keepdim=True).clamp_min(1e-12)
        return torch.where(self.kept, weight, rounded(weight, limit))


def rounded(values: Tensor, limit: Tensor) -> Tensor:
    """The nearest of 255 evenly spaced values from ``-limit`` to ``limit``."""
    scale = limit.float() / _STEPS
    steps = (values.float() / scale).round().clamp(-_STEPS, _STEPS)
    return (steps * scale).to(values.dtype)


def _rounded_input(limit: Tensor, kept: Tensor) -> Callable[..., tuple[Tensor, ...]]:
    def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (torch.where(kept, inputs[0], rounded(inputs[0], limit)), *inputs[1:])

    return hook


def _calibrate(
    modules: Mapping[str, nn.Module],
    model: nn.Module,
    texts: Mapping[str, Tensor],
    batch: int,
    watch: report.Watch,
) -> tuple[dict[str, Tensor], dict[str, dict[str, float]]]:
    """Largest absolute value of each layer's input channels, and the full model's losses."""
    largest: dict[str, Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if inputs[0].numel():
                sizes = inputs[0].flatten(0, -2).abs().amax(0).float().cpu()
                largest[name] = torch.maximum(largest.get(name, sizes), sizes)

        return hook

    hooks = [module.register_forward_pre_hook(keep(name)) for name, module in modules.items()]
    try:
        losses = {
            kind: {"full": float(report.losses(model, ids, batch, watch, f"{kind}, peaks").mean())}
            for kind, ids in texts.items()
        }
    finally:
        for hook in hooks:
            hook.remove()
    return largest, losses


def _layer(name: str, sizes: Tensor, peaks: Tensor) -> Layer:
    kept = peaks.nonzero().flatten().tolist()
    return Layer(
        name=name,
        channels=len(sizes),
        peak=float(sizes.max()),
        rest=float(sizes[~peaks].max()),
        kept=sorted(((c, float(sizes[c])) for c in kept), key=lambda pair: -pair[1]),
    )
