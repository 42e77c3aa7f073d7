"""Randomness without history: what happens at an iteration depends on no earlier one.

A training that is killed and resumed must go on as if nothing had happened. Instead of
saving the state of every random generator, including those of data loading processes that
have already worked ahead, none of them has a history: the augmentation of a sample is
seeded from the run's seed and the sample's place in the stream of all samples, and the
model's own randomness (dropout, mixup) from the seed, the iteration and the process.
A sample's augmentation is thus the same for any number of loading processes, and for one
process with a large batch as for several with small ones.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_dist_info
from mmengine.hooks import Hook
from mmengine.registry import DATA_SAMPLERS, DATASETS
from torch.utils.data import Sampler

from mmsuper.registry import HOOKS

# The first number after the seed keeps the two uses apart.
_SAMPLE, _ITERATION = 0, 1


def seed_from(*numbers: int) -> int:
    """A 32-bit seed that depends on every one of four (or any fixed count of) numbers from 0."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


class StreamIndex(int):
    """The index of a sample in its data set, with its place in the stream of a training."""

    place: tuple[int, int]

    def __new__(cls, index: int, place: tuple[int, int]) -> StreamIndex:
        """Make an index; ``place`` is the epoch and the position among all processes' samples."""
        self = super().__new__(cls, index)
        self.place = place
        return self

    def __reduce__(self) -> tuple:
        return StreamIndex, (int(self), self.place)


class SeededDataset:
    """A data set whose random transforms depend on a sample's place in the stream only.

    Args:
        dataset: Config of the data set.
        stream_seed: The seed of the run.
    """

    def __init__(self, dataset: dict, stream_seed: int) -> None:
        self.dataset = DATASETS.build(dataset)
        self.stream_seed = stream_seed

    def __getitem__(self, index: int) -> Any:
        """Seed the generators that transforms use, then load a sample."""
        place = index.place if isinstance(index, StreamIndex) else (0, int(index))
        seed = seed_from(self.stream_seed, _SAMPLE, *place)
        random.seed(seed)
        np.random.seed(seed)
        torch.default_generator.manual_seed(seed)
        return self.dataset[int(index)]

    def __len__(self) -> int:
        return len(self.dataset)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "dataset":
            raise AttributeError(name)
        return getattr(self.dataset, name)


class StreamSampler(Sampler):
    """A sampler whose indices know their place in the stream.

    Args:
        dataset: The data set.
        sampler: Config of the sampler that chooses the indices.
        seed: Passed on to it.
    """

    def __init__(self, dataset: Any, sampler: dict, seed: int | None = None) -> None:
        self.sampler = DATA_SAMPLERS.build(sampler, default_args={"dataset": dataset, "seed": seed})
        self.rank, self.world_size = get_dist_info()
        self.stream_epoch = 0
        self.stream_start = 0

    def __iter__(self) -> Iterator[StreamIndex]:
        for count, index in enumerate(self.sampler, self.stream_start):
            yield StreamIndex(index, (self.stream_epoch, count * self.world_size + self.rank))

    def __len__(self) -> int:
        return len(self.sampler)

    def set_epoch(self, epoch: int) -> None:
        """Begin another epoch: other order, other augmentations."""
        self.stream_epoch = epoch
        if hasattr(self.sampler, "set_epoch"):
            self.sampler.set_epoch(epoch)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "sampler":
            raise AttributeError(name)
        value = getattr(self.sampler, name)
        # MMEngine resumes quickly with a sampler that can skip; only some can.
        return self._skipping(value) if name == "skip" else value

    def _skipping(self, skip: Callable[[int], None]) -> Callable[[int], None]:
        def skip_both(count: int) -> None:
            skip(count)
            self.stream_start = count

        return skip_both


def stream(dataloader: Any, seed: int) -> Any:
    """A training data loader's config with data set and sampler as above.

    Anything but the config of an ordinary loader is returned as it is.
    """
    if not isinstance(dataloader, dict):
        return dataloader
    dataset, sampler = dataloader.get("dataset"), dataloader.get("sampler")
    if not isinstance(dataset, dict) or not isinstance(sampler, dict):
        return dataloader
    if dataset.get("type") is SeededDataset:
        return dataloader
    return {
        **dataloader,
        "dataset": {"type": SeededDataset, "dataset": dataset, "stream_seed": seed},
        "sampler": {"type": StreamSampler, "sampler": sampler},
    }


@HOOKS.register_module()
class IterationSeedHook(Hook):
    """Seed the model's randomness anew at every iteration."""

    priority = "VERY_HIGH"

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Seed Python's, NumPy's and PyTorch's generators, those of the devices included."""
        seed = seed_from(runner.seed, _ITERATION, runner.iter, runner.rank)
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
