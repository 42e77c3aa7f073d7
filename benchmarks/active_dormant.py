"""The sampler against the plain loop, and what the measuring hook costs while it is idle.

    python benchmarks/active_dormant.py             # two minutes
    python benchmarks/active_dormant.py --sampler   # only the sampler

The plain loops draw token by token. One asks NumPy's generator for a choice among the
vocabulary by its law, as the authors' code does; the other searches a cumulative law that
is there already, the least that a loop over tokens can do. All three give the same
sequences, which is checked first. A training step is the small config's, with the hook
registered but not due, in turns with the same step without it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from measure import medians
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS
from rich.console import Console
from rich.table import Table

import mmsuper.registry  # noqa: F401
from mmsuper.projects.active_dormant.data import BigramBackcopy, sample_plain
from mmsuper.projects.active_dormant.hooks import DynamicsHook
from mmsuper.projects.active_dormant.task import Counts, Task

SEED = (42, 27)
CONFIG = Path(__file__).parents[1] / "configs" / "active_dormant" / "toy-1l_adamw_bb-small.py"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sampler", action="store_true", help="only the sampler")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--steps", type=int, default=150, help="training steps of each kind")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    sampler(arguments.batch)
    if not arguments.sampler:
        hook(arguments.steps)


def sampler(batch: int) -> None:
    task = Task(Counts.read())
    data = BigramBackcopy(batch, 256, seed=SEED)

    def choice() -> np.ndarray:
        return sample_plain(task, 257, batch, np.random.default_rng(SEED))

    def search() -> np.ndarray:
        return searched(task, 257, batch)

    ours = data[0]["inputs"].numpy()
    if not ((choice() == ours).all() and (search() == ours).all()):
        raise SystemExit("the samplers differ: no comparison")
    slow, plain = medians([choice, search], 1, "cpu")
    (quick,) = medians([lambda: data[0]], 15, "cpu")
    table = Table("sampler", "seconds", "ours is faster", title=f"{batch} sequences of 257 tokens")
    for name, seconds in (("plain loop, choice", slow), ("plain loop, search", plain)):
        table.add_row(name, f"{seconds:.3f}", f"{seconds / quick:.0f}x")
    table.add_row("ours", f"{quick:.4f}", "")
    Console().print(table)


def searched(task: Task, length: int, count: int) -> np.ndarray:
    """The plain loop over tokens with as little as possible in it."""
    generator = np.random.default_rng(SEED)
    rows = list(task.transition.cumsum(1))
    rows = [row / row[-1] for row in rows]
    first, special = task.first.cumsum(), set(task.triggers)
    first /= first[-1]
    found = []
    for _ in range(count):
        before, x = task.bos[0], int(first.searchsorted(generator.random(), side="right"))
        tokens = [before, x]
        for _ in range(length - 2):
            drawn = int(rows[x].searchsorted(generator.random(), side="right"))
            before, x = x, before if x in special else drawn
            tokens.append(x)
        found.append(tokens)
    return np.array(found)


class Runner:
    """As much of MMEngine's runner as the hook looks at while nothing is due."""

    iter = 1
    max_iters = 10**9


def hook(steps: int) -> None:
    config = Config.fromfile(CONFIG)
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    optimizer = build_optim_wrapper(model, config.optim_wrapper)
    data = BigramBackcopy(64, 64, length=2 * steps)
    watcher, runner = DynamicsHook(interval=10**8), Runner()
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for i in range(2 * steps):
        watched = bool(i % 2)
        batch = {name: [value] for name, value in data[i].items()}
        start = time.perf_counter()
        losses = model.train_step(batch, optimizer)
        if watched:
            watcher.after_train_iter(runner, i, batch, losses)
        seconds[watched].append(time.perf_counter() - start)
    without, with_hook = (statistics.median(seconds[kind]) for kind in (False, True))
    table = Table("training step", "milliseconds", title="small model, one thread")
    table.add_row("without the hook", f"{1e3 * without:.2f}")
    table.add_row("with it, idle", f"{1e3 * with_hook:.2f}")
    table.add_row("overhead", f"{with_hook / without - 1:+.1%}")
    Console().print(table)


if __name__ == "__main__":
    main()
