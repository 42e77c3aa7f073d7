"""From texts to n-gram counts, in bounded memory: pieces, runs, levels.

Texts are cut into *pieces*. Each piece is tokenised and becomes a *run*: of every position
the window of tokens that begins there, sorted, with how often each occurs. A window that its
document ends is padded with zeros; hence tokens are stored plus one. Merging the runs gives
all windows in order, and out of windows in order come the *levels* of a trie, each written
from its beginning to its end: the n-grams of 2, 3, ... tokens.

Windows are packed into a few 64-bit numbers, as many tokens in each as fit, so that sorting
them is sorting numbers.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmsuper.errors import UserError
from mmsuper.files import replacing

PIECE_BYTES = 4 << 20
MERGED_ROWS = 1 << 21
SUFFIXES = (".txt", ".jsonl")


@dataclass(frozen=True)
class Part:
    """Whole lines of a file: its bytes from ``start`` to ``stop``."""

    path: str
    start: int
    stop: int


def pieces(texts: Iterable[str | Path]) -> list[list[Part]]:
    """Cut texts into pieces of about 4 MiB, at ends of lines.

    Args:
        texts: Files, and folders of which all ``.txt`` and ``.jsonl`` files are taken.

    Raises:
        UserError: If one does not exist, or there is nothing to read.
    """
    found: list[list[Part]] = []
    room = 0
    for path in _files(texts):
        for part in _parts(path):
            size = part.stop - part.start
            if size > room:
                found.append([])
                room = PIECE_BYTES
            found[-1].append(part)
            room -= size
    if not found:
        raise UserError(f"nothing to count in {', '.join(map(str, texts))}")
    return found


def _files(texts: Iterable[str | Path]) -> Iterator[Path]:
    for path in map(Path, texts):
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file())
            if not inside:
                raise UserError(f"{path} holds no {' or '.join(SUFFIXES)} file")
            yield from inside
        elif path.is_file():
            yield path
        else:
            raise UserError(f"no file or folder {path}")


def _parts(path: Path) -> Iterator[Part]:
    size = path.stat().st_size
    start = 0
    with path.open("rb") as file:
        while start < size:
            file.seek(min(start + PIECE_BYTES, size) - 1)
            file.readline()
            yield Part(str(path), start, file.tell())
            start = file.tell()


def documents(parts: Iterable[Part], key: str = "text") -> Iterator[str]:
    """The documents of a piece.

    A line of a ``.jsonl`` file is a document; of other files, what the piece has of it.

    Args:
        parts: What the piece consists of.
        key: Where a JSON line has its text.

    Raises:
        UserError: If a file is not UTF-8, or a line no JSON object with that key.
    """
    for part in parts:
        with Path(part.path).open("rb") as file:
            file.seek(part.start)
            content = file.read(part.stop - part.start)
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            place = part.start + error.start
            raise UserError(f"{part.path} is not UTF-8 at byte {place}") from error
        if not part.path.endswith(".jsonl"):
            yield text
            continue
        for line in filter(str.strip, text.split("\n")):
            yield _text_of(line, key, part)


def _text_of(line: str, key: str, part: Part) -> str:
    try:
        text = json.loads(line)[key]
    except (ValueError, KeyError, TypeError):
        text = None
    if not isinstance(text, str):
        raise UserError(f"{part.path}: no JSON object with a text {key!r}: {line[:60]}")
    return text


class Packing:
    """How windows of tokens are packed into columns of 64-bit numbers.

    Args:
        length: Tokens in a window.
        vocab_size: Number of tokens there are.
    """

    def __init__(self, length: int, vocab_size: int) -> None:
        self.length, self.vocab_size = length, vocab_size
        self.bits = vocab_size.bit_length()
        self.per_column = 64 // self.bits
        self.columns = -(-length // self.per_column)

    def place(self, slot: int) -> tuple[int, np.uint64]:
        """Column of a window's token, and by how much it is shifted there."""
        column, index = divmod(slot, self.per_column)
        return column, np.uint64(64 - self.bits * (index + 1))

    def pack(self, flat: np.ndarray, begins: np.ndarray) -> np.ndarray:
        """Windows of ``flat`` (uint64) at some positions, (columns, N)."""
        keys = np.zeros((self.columns, len(begins)), np.uint64)
        for slot in range(self.length):
            column, shift = self.place(slot)
            keys[column] |= flat[begins + slot] << shift
        return keys

    def unpack(self, keys: np.ndarray, slot: int) -> np.ndarray:
        """One token of every window, 0 where its document has ended, (N,)."""
        column, shift = self.place(slot)
        return (keys[column] >> shift) & np.uint64((1 << self.bits) - 1)

    def last_alike(self, key: np.uint64) -> np.uint64:
        """The largest first column of a window with the same first two tokens."""
        return key | np.uint64((1 << (64 - 2 * self.bits)) - 1)


def run_of(ids: Iterable[Sequence[int]], packing: Packing) -> np.ndarray:
    """The sorted windows of some documents, (columns + 1, N) uint64; the last row counts.

    Raises:
        UserError: If a token is out of the vocabulary.
    """
    gap = np.zeros(packing.length, np.int64)
    texts = [np.asarray(one, np.int64) + 1 for one in ids]
    flat = np.concatenate([part for text in texts for part in (text, gap)] or [gap])
    lowest = min((text.min() for text in texts if len(text)), default=1)
    if lowest < 1 or flat.max() > packing.vocab_size:
        raise UserError("a token id is out of the vocabulary")
    # Where a document's last token stands, nothing follows.
    begins = np.flatnonzero((flat[:-1] != 0) & (flat[1:] != 0))
    keys = packing.pack(flat.astype(np.uint64), begins)
    return _counted(keys, np.ones(len(begins), np.uint64))


def _counted(keys: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Sort windows and add up the counts of equal ones."""
    order = np.lexsort(keys[::-1])
    keys, counts = keys[:, order], counts[order]
    first = np.ones(len(order), bool)
    first[1:] = (keys[:, 1:] != keys[:, :-1]).any(0)
    begins = np.flatnonzero(first)
    summed = np.add.reduceat(counts, begins) if len(begins) else counts
    return np.concatenate([keys[:, begins], summed[None].astype(np.uint64)])


def save_run(path: Path, run: np.ndarray) -> None:
    """Write a run, whole or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, run, allow_pickle=False)


def merged(
    paths: Sequence[Path], packing: Packing, rows: int = MERGED_ROWS
) -> Iterator[np.ndarray]:
    """All runs as one, in parts of about ``rows`` windows.

    Windows with the same first two tokens are in one part.
    """
    runs = [np.load(path, mmap_mode="r", allow_pickle=False) for path in paths]
    at = [0] * len(runs)
    step = max(1, rows // max(1, len(runs)))
    while True:
        open_runs = [i for i, run in enumerate(runs) if at[i] < run.shape[1]]
        if not open_runs:
            return
        bound = packing.last_alike(
            min(runs[i][0, min(at[i] + step, runs[i].shape[1]) - 1] for i in open_runs)
        )
        parts = []
        for i in open_runs:
            stop = int(np.searchsorted(runs[i][0], bound, side="right"))
            parts.append(runs[i][:, at[i] : stop])
            at[i] = stop
        joined = np.concatenate(parts, axis=1)
        yield _counted(joined[:-1], joined[-1]), joined.shape[1]


class LevelWriter:
    """Writes the levels of the trie from merged windows; use as a context.

    Level L has a node for every n-gram of L tokens, in order: ``tokens-L``, the last token;
    ``counts-L``, how often it occurs; ``children-L``, where in level L + 1 the n-grams
    begin that go on from it, and a last entry where they all end. Level 1 has one node for
    every token of the vocabulary and ``children-1`` only; the last level has no children.

    Args:
        folder: Where to, a folder that exists.
        packing: How windows are packed.
    """

    def __init__(self, folder: Path, packing: Packing) -> None:
        self.packing, self.vocab_size = packing, packing.vocab_size
        self.length = packing.length
        self.entries = dict.fromkeys(range(1, self.length + 1), 0)
        self.bigrams = np.zeros(self.vocab_size, np.int64)
        self.types = file_types(self.length, self.vocab_size)
        self.paths = {name: folder / f"{name}.bin" for name in self.types}
        self.sums = dict.fromkeys(self.paths, 0)

    def __enter__(self) -> LevelWriter:
        self.files = {name: path.open("wb") for name, path in self.paths.items()}
        return self

    def __exit__(self, *error: object) -> None:
        for file in self.files.values():
            file.close()

    def add(self, run: np.ndarray) -> None:
        """Go on with a part of the merged windows."""
        keys, counts = run[:-1], run[-1]
        tokens = [self.packing.unpack(keys, slot) for slot in range(self.length)]
        # Where a window differs from the one before in its first L tokens.
        changed = np.zeros(len(counts), bool)
        changed[:1] = True
        changed[1:] = tokens[0][1:] != tokens[0][:-1]
        begins = []
        for token in tokens[1:]:
            changed[1:] |= token[1:] != token[:-1]
            begins.append(np.flatnonzero(changed))
        for level, rows in enumerate(begins, 2):
            of_level = tokens[level - 1][rows]
            nodes = rows[of_level != 0]
            self._write(f"tokens-{level}", of_level[of_level != 0] - np.uint64(1))
            self._write(f"counts-{level}", np.add.reduceat(counts, rows)[of_level != 0])
            if level < self.length:
                below = begins[level - 1]
                below = below[tokens[level][below] != 0]
                first = self.entries[level + 1] + np.searchsorted(below, nodes)
                self._write(f"children-{level}", first)
            else:
                below = nodes
            if level == 2:
                first_tokens = tokens[0][nodes].astype(np.int64) - 1
                self.bigrams += np.bincount(first_tokens, minlength=self.vocab_size)
        for level, rows in enumerate(begins, 2):
            self.entries[level] += int((tokens[level - 1][rows] != 0).sum())

    def close(self) -> None:
        """Write what can only be known at the end."""
        self._write("children-1", np.concatenate([[0], self.bigrams.cumsum()]))
        for level in range(2, self.length):
            self._write(f"children-{level}", np.array([self.entries[level + 1]]))
        self.entries[1] = self.vocab_size

    def _write(self, name: str, values: np.ndarray) -> None:
        kind = self.types[name]
        if len(values) and values.max() > np.iinfo(kind).max:
            raise UserError("an index holds at most 4,294,967,295 n-grams of a length; count less")
        content = values.astype(kind).tobytes()
        self.sums[name] = zlib.crc32(content, self.sums[name])
        self.files[name].write(content)


def file_types(length: int, vocab_size: int) -> dict[str, str]:
    """Names of the files of a trie, and what numbers they hold."""
    token = "<u2" if vocab_size <= 1 << 16 else "<u4"
    types = {"children-1": "<u4"}
    for level in range(2, length + 1):
        types |= {f"tokens-{level}": token, f"counts-{level}": "<u4"}
        if level < length:
            types[f"children-{level}"] = "<u4"
    return types
