"""A training of milliseconds with everything random that a real one has.

Configs import this module by ``custom_imports``; its folder must be on the path.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, HOOKS, METRICS, MODELS
from mmengine.structures import BaseDataElement
from torch import nn

FOLDER = Path(__file__).parent


@DATASETS.register_module()
class TinyData:
    """Points of a plane; three generators disturb them unless ``noise`` is 0."""

    metainfo: ClassVar = {"name": "tiny", "classes": ("a", "b")}

    def __init__(self, size=12, noise=0.1, data_root=""):
        self.size, self.noise = size, noise

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        x = torch.randn(4, generator=torch.Generator().manual_seed(index))
        y = x.sum()
        x = x + self.noise * (random.random() + np.random.rand() + torch.rand(1).item())
        return {"inputs": x, "data_samples": BaseDataElement(y=y.reshape(1), number=index)}


class TinyNet(nn.Sequential):
    """A network of its own class, as papers have it; PyTorch's own classes compile to nothing."""

    def forward(self, x):
        for layer in self:
            x = layer(x)
        return x


@MODELS.register_module()
class TinyModel(BaseModel):
    dtypes: ClassVar[list] = []

    def __init__(self, dropout=0.2):
        super().__init__()
        self.net = TinyNet(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 1))

    def forward(self, inputs, data_samples, mode="tensor"):
        output = self.net(torch.stack(list(inputs)))
        if mode == "loss":
            self.dtypes.append(output.dtype)
            target = torch.stack([sample.y for sample in data_samples])
            return {"loss": nn.functional.mse_loss(output.float(), target)}
        return [
            BaseDataElement(y=sample.y, number=sample.number, prediction=value)
            for sample, value in zip(data_samples, output, strict=True)
        ]


@METRICS.register_module()
class TinyError(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results += [float((s["prediction"] - s["y"]).abs().mean()) for s in data_samples]

    def compute_metrics(self, results):
        return {"error": float(np.mean(results))}


@HOOKS.register_module()
class SlowHook(Hook):
    """Make iterations long enough to be killed in, in the process that is told to."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        time.sleep(float(os.environ.get("TINY_SLOW", 0)))


CONFIG = """
_base_ = 'mmsuper::_base_/runtime/default.py'
custom_imports = dict(imports=['tiny_training'])
default_scope = 'mmengine'
model = dict(type='TinyModel')
train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(type='TinyData', data_root={root!r}))
val_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='TinyData', size=5, noise=0., data_root={root!r}))
test_dataloader = val_dataloader
val_evaluator = dict(type='TinyError')
test_evaluator = val_evaluator
train_cfg = dict(type='IterBasedTrainLoop', max_iters=12, val_interval=6)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-2))
param_scheduler = dict(type='CosineAnnealingLR', T_max=12, by_epoch=False)
default_hooks = dict(checkpoint=dict(interval=4), logger=dict(interval=1))
"""


def write_config(folder, *lines, name="tiny.py"):
    """A config that trains for 12 iterations; ``lines`` are appended to it."""
    root = Path(folder) / "data"
    root.mkdir(exist_ok=True)
    (root / "points.txt").write_text("1 2 3")
    path = Path(folder) / name
    path.write_text(CONFIG.format(root=str(root)) + "\n".join(lines) + "\n")
    return path


def weights(path):
    """The state dict in a checkpoint of a training."""
    return torch.load(path, weights_only=True)["state_dict"]


def same(a, b):
    """Whether two nests of tensors are equal bit for bit."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b
