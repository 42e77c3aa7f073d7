import itertools
import pickle

import numpy as np
import pytest
import tiny_training
import torch
from mmengine.runner import Runner
from mmengine.runner.loops import _InfiniteDataloaderIterator

from mmsuper.engine import seeding


def loader(workers=0, batch=2, sampler="InfiniteSampler", seed=3):
    config = {
        "batch_size": batch,
        "num_workers": workers,
        "sampler": {"type": sampler, "shuffle": True},
        "dataset": {"type": tiny_training.TinyData},
    }
    return Runner.build_dataloader(seeding.stream(config, seed), seed=seed)


def take(iterator, count):
    return [torch.stack(next(iterator)["inputs"]) for _ in range(count)]


def test_a_seed_depends_on_every_number():
    seeds = {seeding.seed_from(*n) for n in itertools.product((0, 1, 2**33), repeat=4)}
    assert len(seeds) == 81


@pytest.mark.parametrize("workers", [0, 2])
def test_skipping_continues_the_stream(workers):
    whole = take(_InfiniteDataloaderIterator(loader(workers)), 12)
    resumed = _InfiniteDataloaderIterator(loader(workers))
    resumed.skip_iter(7)
    assert all(map(torch.equal, whole[7:], take(resumed, 5)))


def test_the_number_of_loading_processes_does_not_matter():
    runs = [take(iter(loader(workers)), 8) for workers in (0, 1, 2)]
    assert all(map(torch.equal, runs[0], runs[1]))
    assert all(map(torch.equal, runs[0], runs[2]))


def test_a_sample_is_disturbed_differently_every_time():
    seen = torch.cat(take(iter(loader(batch=12)), 2))
    assert len({tuple(row.tolist()) for row in seen}) == 24


def test_epochs_differ_and_repeat():
    data = loader(sampler="DefaultSampler", batch=12)
    epochs = []
    for epoch in (0, 1, 0):
        data.sampler.set_epoch(epoch)
        epochs.append(take(iter(data), 1)[0])
    assert torch.equal(epochs[0], epochs[2])
    assert not torch.equal(epochs[0], epochs[1])


def test_processes_share_one_stream(monkeypatch):
    """Two processes with batch 2 see at each iteration what one with batch 4 sees."""
    alone = take(iter(loader(batch=4)), 5)
    parts = []
    for rank in (0, 1):
        for module in ("mmsuper.engine.seeding", "mmengine.dataset.sampler"):
            monkeypatch.setattr(f"{module}.get_dist_info", lambda rank=rank: (rank, 2))
        parts.append(take(iter(loader(batch=2)), 5))
    for whole, *halves in zip(alone, *parts, strict=True):
        rows = {tuple(row.tolist()) for row in whole}
        assert rows == {tuple(row.tolist()) for row in torch.cat(halves)}


def test_wrappers_pass_on_what_others_ask_for():
    data = loader()
    assert data.dataset.metainfo == tiny_training.TinyData.metainfo
    assert data.sampler.seed == 3
    assert not hasattr(loader(sampler="DefaultSampler").sampler, "skip")
    copied = pickle.loads(pickle.dumps(seeding.StreamIndex(5, (1, 2))))
    assert (copied, copied.place) == (5, (1, 2))


def test_only_ordinary_loaders_are_changed():
    for other in (None, [1], {"dataset": "name", "sampler": {}}):
        assert seeding.stream(other, 0) is other
    once = seeding.stream({"dataset": {"type": "A"}, "sampler": {"type": "B"}}, 0)
    assert seeding.stream(once, 0) is once


def test_iteration_seed_hook_reaches_every_generator():
    class Runner:
        seed, rank, iter = 1, 0, 5

    def draw():
        import random

        return random.random(), np.random.rand(), torch.rand(1).item()

    hook = seeding.IterationSeedHook()
    hook.before_train_iter(Runner, 0)
    first = draw()
    hook.before_train_iter(Runner, 0)
    assert draw() == first
    Runner.iter = 6
    hook.before_train_iter(Runner, 0)
    assert not set(draw()) & set(first)
