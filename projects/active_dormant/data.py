"""Sequences of the Bigram-Backcopy task, a batch at a time.

The order of random draws is fixed: a sequence takes its draws one after another from a
PCG64 stream, and the next sequence goes on where it ended. Where every token takes the same
number of draws, sequence ``i`` of the stream is found without making those before it, and a
batch is sampled all at once (:func:`sample`). The authors' samplers of some kinds take a
number of draws that varies; for these :func:`sample` draws alike for all tokens, other
sequences of the same law, and :func:`sample_plain` is the loop that gives the authors'.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from mmsuper.errors import UserError
from mmsuper.projects.active_dormant.task import Counts, Kind, Task
from mmsuper.registry import DATASETS

# Draws of a token after the first, if it is not one.
_DRAWS = {"dormant_markov": 2, "bbm_interpolate": 2, "dormant_markov_interpolate": 3}
#: Kinds of which :func:`sample` gives the authors' sequences.
EXACT = ("bbm", "markov", "dormant_markov", "dormant_two_kinds_copies")


class _Categorical:
    """Draws from the rows of a matrix of laws, by the inverse of the cumulative law.

    A guide tells for every row and small interval of the uniform variable the least token
    that it can mean; the few steps from there are made by comparison, so a draw is exactly
    that of a search in the cumulative law.
    """

    _BINS = 8192

    def __init__(self, laws: np.ndarray) -> None:
        cumulative = laws.cumsum(1)
        cumulative /= cumulative[:, -1:]
        grid = np.arange(self._BINS) / self._BINS
        guide = [row.searchsorted(grid, side="right") for row in cumulative]
        self.size = laws.shape[1]
        self.cumulative = cumulative.ravel()
        self.guide = np.array(guide, np.min_scalar_type(self.size)).ravel()

    def draw(self, rows: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
        """One token from each of the rows (B,), for uniform variables (B,)."""
        found = self.guide.take(rows * self._BINS + (uniforms * self._BINS).astype(np.intp))
        places = rows * self.size + found
        low = np.flatnonzero(self.cumulative.take(places) <= uniforms)
        while low.size:  # one or two of a batch
            places[low] += 1
            low = low[self.cumulative[places[low]] <= uniforms[low]]
        return places - rows * self.size


def sample(
    task: Task, length: int, count: int, seed: int | Sequence[int], start: int = 0
) -> np.ndarray:
    """Sequences of the stream of a seed, all at once.

    Args:
        task: Their law.
        length: Tokens of a sequence, with what it begins with.
        count: How many sequences.
        seed: Of the PCG64 stream.
        start: How many sequences of the stream to pass over, at no cost.

    Returns:
        (count, length) int64. For the kinds in :data:`EXACT` the same as :func:`sample_plain`.
    """
    return _Sampler(task, length, seed).sample(start, count)


class _Sampler:
    """:func:`sample` with its tables made once."""

    def __init__(self, task: Task, length: int, seed: int | Sequence[int]) -> None:
        if length <= task.bos_num:
            raise UserError(f"sequences of {length} tokens have no place for a character")
        self.task, self.length, self.seed = task, length, seed
        self.each = _DRAWS.get(task.kind, 1)
        self.outputs = len(task.triggers) if task.kind == "default" else 0
        self.draws = self.outputs + 1 + self.each * (length - task.bos_num - 1)
        laws = [task.transition]
        if task.kind == "dormant_double_tasks":
            laws.append(task.shifted_transition)
        self.rows = _Categorical(np.concatenate(laws))
        self.first = _Categorical(task.first[None])

    def sample(self, start: int, count: int) -> np.ndarray:
        task, at = self.task, self.task.bos_num
        bits = np.random.PCG64(self.seed)
        bits.advance(start * self.draws)
        # One row of draws for all sequences after another: (draws, count).
        uniforms = np.random.Generator(bits).random((count, self.draws)).T.copy()
        batch = _Batch(task, self.rows, uniforms[: self.outputs])
        uniforms = uniforms[self.outputs :]
        # The unigram law follows this token, as it does a special one.
        tokens = np.full((self.length, count), task.characters)
        tokens[:at] = np.array(task.bos)[:, None]
        tokens[at] = self.first.draw(np.zeros(count, np.intp), uniforms[0])
        steps = uniforms[1:].reshape(-1, self.each, count)
        for i, draws in enumerate(steps, at + 1):
            tokens[i] = batch.next(tokens[i - 1], tokens[i - 2], draws)
        return tokens.T.copy()


class _Batch:
    """What is remembered of B sequences while they are drawn."""

    def __init__(self, task: Task, rows: _Categorical, draws: np.ndarray) -> None:
        self.task, self.rows = task, rows
        count = draws.shape[1]
        self.shifted = np.zeros(count, bool)
        # What follows each token if it is a trigger, -1 if that is not known yet: (V, B).
        self.told = np.full((task.vocab_size, count), -1)
        if task.kind == "default":
            self.told[list(task.triggers)] = draws * task.characters

    def next(self, x: np.ndarray, before: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """The token after ``x`` (B,), for the draws (each, B) of this place."""
        task, row, special = self.task, x, self.task.is_trigger.take(x)
        if task.kind == "dormant_double_tasks":
            self.shifted |= x == task.delimiters[0]
            row = x + task.vocab_size * self.shifted
            np.copyto(special, task.is_shifted_trigger.take(x), where=self.shifted)
        following = self.rows.draw(row, draws[0])
        if task.mixed:
            special &= draws[-1] < task.mix_p
        own = self._own(x, before, draws, special)
        np.copyto(following, own, where=special & (own >= 0))
        return following

    def _own(
        self, x: np.ndarray, before: np.ndarray, draws: np.ndarray, special: np.ndarray
    ) -> np.ndarray:
        """What a trigger asks for, or -1; of other tokens anything."""
        task = self.task
        if task.kind.startswith("dormant_markov"):
            return self.rows.draw(before, draws[1])
        if task.kind == "dormant_two_kinds_copies":
            return (before + (x == task.delimiters[1])) % task.characters
        if task.kind not in ("default", "dormant_Biette"):
            return before
        sequence = np.arange(len(x))
        told = self.told[x, sequence]
        if task.kind == "dormant_Biette":
            self.told[x, sequence] = np.where(special & (told < 0), before, told)
        return told


def sample_plain(task: Task, length: int, count: int, generator: np.random.Generator) -> np.ndarray:
    """The same, token by token, drawing in the authors' order.

    Returns:
        (count, length) int64. The generator goes on afterwards.
    """
    return np.array([_plain_sequence(task, length, generator) for _ in range(count)])


def _plain_sequence(task: Task, length: int, generator: np.random.Generator) -> list[int]:
    def draw(law: np.ndarray) -> int:
        return int(generator.choice(task.vocab_size, p=law))

    kind, told = task.kind, dict[int, int]()
    if kind == "default":
        told = {trigger: int(generator.choice(task.characters)) for trigger in task.triggers}
    first = task.first
    if kind == "dormant_Biette":
        first = np.pad(generator.dirichlet(np.ones(task.characters)), (0, task.bos_num + 1))
        first[list(task.triggers)] = 0
        first /= first.sum()
    tokens = [*task.bos, draw(first)]
    while len(tokens) < length:
        x = tokens[-1]
        before = tokens[-2] if len(tokens) > 1 else task.characters
        special = task.is_trigger[x]
        if kind == "dormant_double_tasks" and x in task.delimiters:
            following = draw(task.shifted_transition[x])
        elif kind == "dormant_double_tasks":
            shifted = task.delimiters[0] in tokens
            following = (draw(task.transition[x]), draw(task.shifted_transition[x]))[shifted]
            special = (task.is_trigger, task.is_shifted_trigger)[shifted][x]
        else:
            following = draw(task.transition[x])
        if kind.startswith("dormant_markov"):
            own = draw(task.transition[before])
        elif kind == "dormant_two_kinds_copies":
            own = (before + (x == task.delimiters[1])) % task.characters
        elif kind in ("default", "dormant_Biette"):
            own = told.get(x, following)
            if kind == "dormant_Biette" and special:
                told.setdefault(x, before)
        else:
            own = before
        if special and task.mixed:
            special = generator.random() < task.mix_p
        tokens.append(own if special else following)
    return tokens


@DATASETS.register_module()
class BigramBackcopy(Dataset):
    """The task as a data set whose items are batches.

    A batch is sampled at once, which is what makes it quick, so a data loader takes one item
    at a time. Item ``i`` has the sequences ``i * batch_size`` and following of the seed's
    stream: it depends on nothing else, so any number of loading processes gives the same
    training, and a resumed one goes on as if it had not stopped.

    Args:
        batch_size: Sequences in an item.
        seq_length: Inputs of a sequence; it has one token more, the last target.
        length: How many items there are.
        seed: Of the stream of random numbers; the authors' worker i has (42, i), and their
            evaluation (42, 27).
        counts: Path of a text or of a table of counts; by default Tiny Shakespeare's table.
        data_root: Folder that ``counts`` is in.
        kind, k, offset, mix_p, delimiter_p, bos_num: See :class:`Task`.
        exact_order: Draw in the authors' order also for the kinds that are not in
            :data:`EXACT`: token by token, and item ``i`` takes ``i + 1`` times as long.
    """

    def __init__(
        self,
        batch_size: int,
        seq_length: int = 256,
        length: int = 1,
        seed: int | Sequence[int] = (42, 0),
        counts: str | None = None,
        data_root: str = "",
        kind: Kind = "bbm",
        k: int = 3,
        offset: int = 0,
        mix_p: float | None = None,
        delimiter_p: float = 0.0,
        bos_num: int = 1,
        exact_order: bool = False,
    ) -> None:
        table = Counts.read(None if counts is None else Path(data_root, counts))
        task = Task(table, kind, k, offset, mix_p, delimiter_p, bos_num)
        self.batch_size, self.length = batch_size, length
        self.plain = exact_order and kind not in EXACT
        self.sampler = _Sampler(task, seq_length + 1, seed)
        self.metainfo: dict[str, Any] = {"task": task}

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """One batch: ``inputs`` (B, L + 1) int64, and ``triggered`` (B, L) bool."""
        start, task = index * self.batch_size, self.metainfo["task"]
        if self.plain:
            generator = np.random.default_rng(self.sampler.seed)
            count = start + self.batch_size
            tokens = sample_plain(task, self.sampler.length, count, generator)[start:]
        else:
            tokens = self.sampler.sample(start, self.batch_size)
        inputs = torch.from_numpy(tokens)
        return {"inputs": inputs, "triggered": task.triggered(inputs[:, :-1])}
