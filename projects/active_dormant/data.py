"""The Bigram-Backcopy task: sequences that a model continues by one of two rules.

Tokens are the characters of a text, then ``<s>``, then a delimiter. After most tokens the
next one follows the text's bigram law; after a *trigger* (by default the text's three most
frequent characters) it repeats the token before the trigger. One head is enough for the
second rule, and it has nothing to do after all other tokens.

The order of random draws is fixed: a sequence takes its draws one after another from a
PCG64 stream, and the next sequence goes on where it ended. Where a sequence always takes the
same number of draws, sequence ``i`` of the stream is found without making those before it,
and a batch is sampled all at once. Only for the mixed kinds, which toss a coin after triggers
alone, is this a loop over tokens (:func:`sample_plain`); :func:`sample` tosses it everywhere.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset

from mmsuper.errors import UserError
from mmsuper.paths import payload_root
from mmsuper.registry import DATASETS

# What follows a trigger: the token before it ("bbm"); what follows that token in the text
# ("dormant_markov"); the one or the other only by chance, else what follows the trigger in
# the text ("..._interpolate"); a token chosen anew for each sequence ("default"); or nothing
# special ("markov"). The names are the authors'.
Kind = Literal[
    "bbm", "markov", "dormant_markov", "bbm_interpolate", "dormant_markov_interpolate", "default"
]
# Draws of a token after the first, and whether one of them tosses the coin.
_DRAWS: dict[str, tuple[int, bool]] = {
    "bbm": (1, False),
    "markov": (1, False),
    "dormant_markov": (2, False),
    "bbm_interpolate": (2, True),
    "dormant_markov_interpolate": (3, True),
    "default": (1, False),
}
# Kinds whose first character is no trigger, which would have nothing to copy.
_COPIES = ("bbm", "bbm_interpolate")


@dataclass(frozen=True)
class Counts:
    """How often characters, and pairs of neighbours, occur in a text.

    Attributes:
        characters: The text's distinct characters, sorted: n of them.
        unigram: (n,) occurrences of each.
        bigram: (n, n) occurrences of the second right after the first.
    """

    characters: str
    unigram: np.ndarray
    bigram: np.ndarray

    @classmethod
    def of_text(cls, text: str) -> Counts:
        """Count a text.

        Raises:
            UserError: If it has fewer than two distinct characters.
        """
        codes, ids = np.unique(np.frombuffer(text.encode("utf-32-le"), "<u4"), return_inverse=True)
        n = len(codes)
        if n < 2:
            raise UserError("a text to count needs at least two distinct characters")
        bigram = np.bincount(ids[:-1] * n + ids[1:], minlength=n * n).reshape(n, n)
        return cls("".join(map(chr, codes)), np.bincount(ids, minlength=n), bigram)

    @classmethod
    def read(cls, path: str | Path | None = None) -> Counts:
        """Read a text file (UTF-8), or a table that :meth:`write` wrote (``.json``).

        Args:
            path: By default the counts of Tiny Shakespeare, which the project brings.

        Raises:
            UserError: If the file is missing or is neither.
        """
        path = payload_root() / "demo" / "tiny_shakespeare_counts.json" if path is None else path
        try:
            content = Path(path).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise UserError(f"no text or table of counts at {path}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path} is no text in UTF-8: {error}") from error
        if Path(path).suffix != ".json":
            return cls.of_text(content)
        try:
            table = json.loads(content)
            n = len(table["characters"])
            bigram = np.zeros((n, n), np.int64)
            first, second, count = np.array(table["bigram"], np.int64).T
            bigram[first, second] = count
            unigram = np.array(table["unigram"], np.int64).reshape(n)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise UserError(
                f"{path} is no table of counts with characters, unigram and bigram"
            ) from error
        return cls(table["characters"], unigram, bigram)

    def write(self, path: str | Path) -> None:
        """Write the table as JSON; pairs that never occur are left out."""
        from mmsuper.files import write_text

        first, second = np.nonzero(self.bigram)
        triples = np.stack([first, second, self.bigram[first, second]], axis=1)
        table = {
            "characters": self.characters,
            "unigram": self.unigram.tolist(),
            "bigram": triples.tolist(),
        }
        write_text(path, json.dumps(table, separators=(",", ":")) + "\n")


@dataclass(frozen=True)
class Task:
    """The law of the sequences.

    Args:
        counts: Of the text whose bigrams are taken.
        kind: What follows a trigger; see :data:`Kind`.
        k: How many triggers: the k most frequent characters. Below 0 the delimiter is it.
        offset: How many of the most frequent characters are passed over first.
        mix_p: How probable a trigger's own rule is, for the mixed kinds.
        delimiter_p: How probable the delimiter is after a character.
        bos_num: How many ``<s>`` a sequence begins with.

    Raises:
        UserError: If these do not fit each other or the text.
    """

    counts: Counts = field(repr=False)
    kind: Kind = "bbm"
    k: int = 3
    offset: int = 0
    mix_p: float | None = None
    delimiter_p: float = 0.0
    bos_num: int = 1

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise UserError(
                f"there is no task {self.kind!r}; there are {', '.join(get_args(Kind))}"
            )
        if self.mixed != (self.mix_p is not None):
            raise UserError(
                f"mix_p is for the tasks that end in _interpolate, and {self.kind} is "
                f"given {self.mix_p}"
            )
        if not (0 <= (self.mix_p or 0) <= 1 and 0 <= self.delimiter_p < 1):
            raise UserError("mix_p must be in [0, 1] and delimiter_p in [0, 1)")
        if self.k < 0 and not self.delimiter_p:
            raise UserError("k below 0 makes the delimiter the trigger, which takes a delimiter_p")
        if (
            not 0 <= self.offset <= self.offset + self.k < len(self.counts.characters)
            and self.k > 0
        ):
            raise UserError(
                f"the text has {len(self.counts.characters)} characters, too few for "
                f"{self.k} triggers after {self.offset}"
            )

    @property
    def mixed(self) -> bool:
        """Whether a trigger's rule holds only by chance."""
        return _DRAWS[self.kind][1]

    @property
    def bos(self) -> int:
        """Id of ``<s>``."""
        return len(self.counts.characters)

    @property
    def delimiter(self) -> int:
        """Id of the delimiter, which is in the vocabulary whether it occurs or not."""
        return self.bos + 1

    @property
    def vocab_size(self) -> int:
        """Characters, ``<s>`` and the delimiter."""
        return self.bos + 2

    @cached_property
    def triggers(self) -> tuple[int, ...]:
        """Ids of the triggers, most frequent first."""
        if self.kind == "markov":
            return ()
        if self.k < 0:
            return (self.delimiter,)
        order = np.argsort(-self.counts.unigram, kind="stable")
        return tuple(order[self.offset : self.offset + self.k].tolist())

    @cached_property
    def is_trigger(self) -> np.ndarray:
        """(V,) bool."""
        return np.isin(np.arange(self.vocab_size), self.triggers)

    @cached_property
    def marginal(self) -> np.ndarray:
        """(V,) how probable each character is; ``<s>`` and the delimiter are not."""
        unigram = self.counts.unigram
        return np.concatenate([unigram, [0, 0]]) / unigram.sum()

    @cached_property
    def first(self) -> np.ndarray:
        """(V,) law of the first character."""
        kept = self.marginal * ~self.is_trigger if self.kind in _COPIES else self.marginal
        return kept / kept.sum()

    @cached_property
    def transition(self) -> np.ndarray:
        """(V, V) rows are the laws of the token after each; unigrams after the special two."""
        n = self.bos
        rows = np.zeros((self.vocab_size, self.vocab_size))
        rows[:n, :n] = self.counts.bigram
        totals = rows.sum(1)
        rows[:n, self.delimiter] = totals[:n] * self.delimiter_p / (1 - self.delimiter_p)
        # A character that only ends the text has no successors.
        rows[totals == 0] = self.marginal
        return rows / rows.sum(1, keepdims=True)

    def triggered(self, tokens: Tensor) -> Tensor:
        """Where a token is a trigger, for inputs (B, L)."""
        return torch.from_numpy(self.is_trigger).to(tokens.device)[tokens]

    def law(self, tokens: Tensor) -> Tensor:
        """The true law of every next token: (B, L + 1) tokens to (B, L, V) probabilities."""
        rows = torch.from_numpy(self.transition).to(tokens.device)
        inputs, targets = tokens[:, :-1], tokens[:, 1:]
        law = rows[inputs]
        if not self.triggers:
            return law
        triggered = self.triggered(inputs)
        before = F.pad(inputs[:, :-1], (1, 0), value=self.bos)[triggered]
        unit = torch.eye(self.vocab_size, dtype=rows.dtype, device=rows.device)
        if self.kind == "default":
            law[triggered] = unit[targets[triggered]]
            return law
        special = (rows if self.kind.startswith("dormant") else unit)[before]
        share = 1.0 if self.mix_p is None else self.mix_p
        law[triggered] = share * special + (1 - share) * law[triggered]
        return law


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
        (count, length) int64. For kinds without ``mix_p`` the same as :func:`sample_plain`.
    """
    return _Sampler(task, length, seed).sample(start, count)


class _Sampler:
    def __init__(self, task: Task, length: int, seed: int | Sequence[int]) -> None:
        if length <= task.bos_num:
            raise UserError(f"sequences of {length} tokens have no place for a character")
        self.task, self.length, self.seed = task, length, seed
        self.each, self.coin = _DRAWS[task.kind]
        self.outputs = max(task.k, 1) if task.kind == "default" else 0
        self.draws = self.outputs + 1 + self.each * (length - task.bos_num - 1)
        self.rows = _Categorical(task.transition)
        self.first = _Categorical(task.first[None])

    def sample(self, start: int, count: int) -> np.ndarray:
        bits = np.random.PCG64(self.seed)
        bits.advance(start * self.draws)
        # One row of draws for all sequences after another: (draws, count).
        uniforms = np.random.Generator(bits).random((count, self.draws)).T.copy()
        outputs = self._outputs(uniforms[: self.outputs])
        uniforms = uniforms[self.outputs :]
        at = self.task.bos_num
        tokens = np.full((self.length, count), self.task.bos)
        tokens[at] = self.first.draw(np.zeros(count, np.intp), uniforms[0])
        steps = uniforms[1:].reshape(-1, self.each, count)
        for i, draws in enumerate(steps, at + 1):
            tokens[i] = self._next(tokens[i - 1], tokens[i - 2], draws, outputs)
        return tokens.T.copy()

    def _next(
        self, x: np.ndarray, before: np.ndarray, draws: np.ndarray, outputs: np.ndarray
    ) -> np.ndarray:
        """The token after ``x`` (B,), for the draws (each, B) of this place."""
        task = self.task
        following = self.rows.draw(x, draws[0])
        special = task.is_trigger.take(x)
        if self.coin:
            special &= draws[-1] < task.mix_p
        if task.kind == "default":
            other = outputs[x, np.arange(len(x))]
        elif task.kind.startswith("dormant"):
            other = self.rows.draw(before, draws[1])
        else:
            other = before
        np.copyto(following, other, where=special)
        return following

    def _outputs(self, uniforms: np.ndarray) -> np.ndarray:
        """What follows each token if it is a trigger: (V, B), of draws (k, B)."""
        outputs = np.zeros((self.task.vocab_size, uniforms.shape[1]), np.intp)
        for trigger, draw in zip(self.task.triggers, uniforms, strict=False):
            outputs[trigger] = draw * self.task.bos
        return outputs


def sample_plain(task: Task, length: int, count: int, generator: np.random.Generator) -> np.ndarray:
    """The same, token by token, drawing from a generator that goes on afterwards.

    The reference for :func:`sample`, and the only way to the authors' order for the kinds
    with ``mix_p``: their coin is tossed after triggers only.

    Returns:
        (count, length) int64.
    """
    return np.array([_plain_sequence(task, length, generator) for _ in range(count)])


def _plain_sequence(task: Task, length: int, generator: np.random.Generator) -> list[int]:
    def draw(law: np.ndarray) -> int:
        return int(generator.choice(task.vocab_size, p=law))

    outputs: dict[int, int] = {}
    if task.kind == "default":
        outputs = {trigger: int(generator.random() * task.bos) for trigger in task.triggers}
    tokens = [task.bos] * task.bos_num + [draw(task.first)]
    while len(tokens) < length:
        x = tokens[-1]
        before = tokens[-2] if len(tokens) > 1 else task.bos
        following = other = draw(task.transition[x])
        if task.kind.startswith("dormant"):
            other = draw(task.transition[before])
        elif task.kind in _COPIES:
            other = before
        elif x in outputs:
            other = outputs[x]
        special = task.is_trigger[x] and (not task.mixed or generator.random() < task.mix_p)
        tokens.append(other if special else following)
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
    ) -> None:
        table = Counts.read(None if counts is None else Path(data_root, counts))
        task = Task(table, kind, k, offset, mix_p, delimiter_p, bos_num)
        self.batch_size, self.length = batch_size, length
        self.sampler = _Sampler(task, seq_length + 1, seed)
        self.metainfo: dict[str, Any] = {"task": task}

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """One batch: ``inputs`` (B, L + 1) int64, and ``triggered`` (B, L) bool."""
        tokens = self.sampler.sample(index * self.batch_size, self.batch_size)
        triggered = self.metainfo["task"].is_trigger[tokens[:, :-1]]
        return {"inputs": torch.from_numpy(tokens), "triggered": torch.from_numpy(triggered)}
