"""Test-time augmentation for restoration: the geometric self-ensemble."""

from __future__ import annotations

import functools
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS as ROOT_MODELS
from torch import Tensor, nn

from mmsuper.registry import MODELS


def flip(images: Tensor, way: int) -> Tensor:
    """One of the eight flips and turns of a square.

    Args:
        images: (..., H, W).
        way: 0 to 7; bits: transpose, upside down, mirrored.
    """
    if way & 1:
        images = images.flip(-1)
    if way & 2:
        images = images.flip(-2)
    return images.transpose(-1, -2) if way & 4 else images


def unflip(images: Tensor, way: int) -> Tensor:
    """The inverse of :func:`flip`."""
    if way & 4:
        images = images.transpose(-1, -2)
    if way & 2:
        images = images.flip(-2)
    return images.flip(-1) if way & 1 else images


class _Ensemble(nn.Module):
    """A network's output averaged over the eight flips and turns of its input."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor, *arguments: Any, **options: Any) -> Tensor:
        outputs = (
            unflip(self.network(flip(images, way), *arguments, **options), way) for way in range(8)
        )
        return functools.reduce(torch.add, outputs) / 8


@MODELS.register_module()
class SelfEnsemble(BaseModel):
    """A restoration model whose network sees every picture in eight orientations.

    Papers mark results made so with a plus sign, as in "EDSR+". Use in a config::

        tta_model = dict(type='mmsuper.SelfEnsemble')

    Args:
        module: A model that has a ``generator``, such as mmagic's ``BaseEditModel``.
    """

    def __init__(self, module: dict | nn.Module) -> None:
        super().__init__()
        self.module: Any = ROOT_MODELS.build(module) if isinstance(module, dict) else module

    def test_step(self, data: Any) -> Any:
        """Predict a batch; only the network is called eight times, on tensors."""
        network = self.module.generator
        self.module.generator = _Ensemble(network)
        try:
            return self.module.test_step(data)
        finally:
            self.module.generator = network

    def forward(self, inputs: Tensor, data_samples: Any = None, mode: str = "tensor") -> Any:
        """Not used; MMEngine asks for it."""
        raise NotImplementedError("SelfEnsemble is for testing")
