"""The law of the Bigram-Backcopy task and of its relatives, from the counts of a text.

Tokens are the characters of a text, then the start tokens ``<s>``, then the delimiters. After
most tokens the next one follows the text's bigram law; after a *trigger* (by default one of
the text's three most frequent characters) it repeats the token before the trigger. One head
is enough for the second rule, and it has nothing to do after all other tokens.

``data.py`` draws sequences of these laws.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from mmsuper.errors import UserError
from mmsuper.paths import payload_root

# What follows a trigger. The names are the authors'.
Kind = Literal[
    "bbm",  # the token before it
    "dormant_markov",  # what follows the token before it in the text
    "bbm_interpolate",  # one of these two by chance, else as after any token
    "dormant_markov_interpolate",
    "markov",  # as after any token: there are no triggers
    "default",  # a token chosen anew for each sequence, the task of Bietti et al.
    "dormant_Biette",  # what stood before its first occurrence; that one is like any token
    "dormant_two_kinds_copies",  # after one delimiter the same, after another the next character
    "dormant_double_tasks",  # as bbm; after a delimiter every character stands for the next one
]
# Kinds whose first character is drawn like any other; that of the rest is no trigger.
_ANY_FIRST = ("markov", "dormant_markov", "default")
_NEED_DELIMITER = ("dormant_two_kinds_copies", "dormant_double_tasks")


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
        k: How many triggers: the k most frequent characters. Below 0 the delimiter is it. In
            ``dormant_two_kinds_copies`` the two delimiters are, whatever k.
        offset: How many of the most frequent characters are passed over first.
        mix_p: How probable a trigger's own rule is, for the mixed kinds.
        delimiter_p: How probable each delimiter is after a character.
        bos_num: How many different ``<s>`` a sequence begins with.

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
        if not (0 <= (self.mix_p or 0) <= 1 and 0 <= self.delimiter_p * len(self.delimiters) < 1):
            raise UserError("mix_p must be in [0, 1] and delimiter_p, for all of them, in [0, 1)")
        if not self.delimiter_p and (self.k < 0 or self.kind in _NEED_DELIMITER):
            raise UserError(f"{self.kind} with k={self.k} takes a delimiter_p above 0")
        if self.kind == "dormant_double_tasks" and self.k < 0:
            raise UserError("the triggers of dormant_double_tasks are characters: k is 0 or more")
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
        return self.kind.endswith("_interpolate")

    @property
    def characters(self) -> int:
        """How many characters there are; ids from this one on are special tokens."""
        return len(self.counts.characters)

    @property
    def bos(self) -> range:
        """Ids of what a sequence begins with."""
        return range(self.characters, self.characters + self.bos_num)

    @property
    def delimiters(self) -> range:
        """Ids of the delimiters, which are in the vocabulary whether they occur or not."""
        number = 2 if self.kind == "dormant_two_kinds_copies" else 1
        return range(self.bos.stop, self.bos.stop + number)

    @property
    def vocab_size(self) -> int:
        """Characters, ``<s>`` and delimiters."""
        return self.delimiters.stop

    def name(self, token: int) -> str:
        """How a token reads: a character itself, ``<s>`` and ``<d>`` for special ones."""
        if token < self.characters:
            return self.counts.characters[token]
        return "<s>" if token in self.bos else "<d>"

    @cached_property
    def triggers(self) -> tuple[int, ...]:
        """Ids of the triggers, most frequent last."""
        if self.kind == "markov" or not self.k:
            return ()
        if self.k < 0 or self.kind == "dormant_two_kinds_copies":
            return tuple(self.delimiters)
        order = np.argsort(-self.counts.unigram, kind="stable")
        return tuple(order[self.offset : self.offset + self.k][::-1].tolist())

    @cached_property
    def is_trigger(self) -> np.ndarray:
        """(V,) bool."""
        return np.isin(np.arange(self.vocab_size), self.triggers)

    @cached_property
    def marginal(self) -> np.ndarray:
        """(V,) how probable each character is; special tokens are not."""
        unigram = self.counts.unigram
        return np.pad(unigram / unigram.sum(), (0, self.vocab_size - self.characters))

    @cached_property
    def first(self) -> np.ndarray:
        """(V,) law of the first character."""
        if self.kind in _ANY_FIRST:
            return self.marginal
        # The authors draw a law for each sequence of dormant_Biette; on average it is uniform.
        law = self.marginal > 0 if self.kind == "dormant_Biette" else self.marginal
        kept = law * ~self.is_trigger
        return kept / kept.sum()

    @cached_property
    def transition(self) -> np.ndarray:
        """(V, V) rows are the laws of the token after each; unigrams after special tokens."""
        n, p = self.characters, self.delimiter_p
        rows = np.zeros((self.vocab_size, self.vocab_size))
        rows[:n, :n] = self.counts.bigram
        totals = rows.sum(1)
        rows[:n, self.delimiters] = totals[:n, None] * p / (1 - len(self.delimiters) * p)
        # A character that only ends the text has no successors.
        rows[totals == 0] = self.marginal
        return rows / rows.sum(1, keepdims=True)

    # After the delimiter of dormant_double_tasks every character stands for the next one in
    # the alphabet: laws and triggers are those of the next one, one place back.

    @cached_property
    def shifted_transition(self) -> np.ndarray:
        """(V, V) laws after the delimiter, which does not come again; its own row begins anew."""
        n = self.characters
        rows = self.transition.copy()
        rows[:, self.delimiters] = 0
        rows[:n, :n] = np.roll(rows[:n, :n], (-1, -1), axis=(0, 1))
        rows[self.delimiters] = self.first
        rows[self.delimiters, :n] = np.roll(self.first[:n], -1)
        return rows / rows.sum(1, keepdims=True)

    @cached_property
    def is_shifted_trigger(self) -> np.ndarray:
        """(V,) bool."""
        places = [(trigger - 1) % self.characters for trigger in self.triggers]
        return np.isin(np.arange(self.vocab_size), places)

    def shifted(self, tokens: Tensor) -> Tensor:
        """Where a delimiter has come, for inputs (B, L) of ``dormant_double_tasks``."""
        return (tokens == self.delimiters[0]).cumsum(-1) > 0

    def triggered(self, tokens: Tensor) -> Tensor:
        """Where a token is a trigger, for inputs (B, L)."""

        def among(marked: np.ndarray) -> Tensor:
            return torch.from_numpy(marked).to(tokens.device)[tokens]

        if self.kind != "dormant_double_tasks":
            return among(self.is_trigger)
        return torch.where(
            self.shifted(tokens), among(self.is_shifted_trigger), among(self.is_trigger)
        )

    def law(self, tokens: Tensor) -> Tensor:
        """The true law of every next token: (B, L + 1) tokens to (B, L, V) probabilities.

        What follows a trigger of ``default`` is not known before it was seen; it is taken
        from the sequence.
        """

        def rows(laws: np.ndarray, of: Tensor) -> Tensor:
            return torch.from_numpy(laws).to(tokens.device)[of]

        inputs = tokens[:, :-1]
        law = rows(self.transition, inputs)
        if self.kind == "dormant_double_tasks":
            shifted = self.shifted(inputs)
            law[shifted] = rows(self.shifted_transition, inputs[shifted])
        triggered = self.triggered(inputs)
        own, of = np.eye(self.vocab_size), self._before(inputs)
        if self.kind.startswith("dormant_markov"):
            own = self.transition
        elif self.kind == "default":
            of = tokens[:, 1:]
        elif self.kind == "dormant_two_kinds_copies":
            of = (of + (inputs == self.delimiters[1])) % self.characters
        elif self.kind == "dormant_Biette":
            of = self._told(inputs)
            triggered = triggered & (of >= 0)
        share = 1.0 if self.mix_p is None else self.mix_p
        law[triggered] = share * rows(own, of[triggered]) + (1 - share) * law[triggered]
        return law

    def _before(self, inputs: Tensor) -> Tensor:
        """The token before each; a special one, whose row has the unigram law, before the first."""
        return F.pad(inputs[:, :-1], (1, 0), value=self.characters)

    def _told(self, inputs: Tensor) -> Tensor:
        """What stood before the first occurrence of each trigger, from the second on; else -1."""
        told, before = torch.full_like(inputs, -1), self._before(inputs)
        for trigger in self.triggers:
            here = inputs == trigger
            again = here & (here.cumsum(-1) > 1)
            first = before.gather(1, here.int().argmax(-1, keepdim=True))
            told = torch.where(again, first, told)
        return told
