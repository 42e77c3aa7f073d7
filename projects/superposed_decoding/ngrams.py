"""An n-gram index: which tokens followed which context, and how often.

An index is a folder. ``index.json`` says what it holds; each *segment*, one of the text it
was built from and one of text that was added later, is a folder with the levels of a trie
(:mod:`~mmsuper.projects.superposed_decoding.counting`). Files are mapped into memory, not
read: a look-up of m tokens is m binary searches and touches a few pages. Nothing is pickled.

Kept libraries were tried on two million tokens: marisa-trie and lmdb keep what something else
has first counted in memory, while infini-gram sorts the text in a second but visits every
occurrence of a context at a look-up, which took 160 milliseconds on average after one token.
So this counts on disk, and a row is a slice of a file.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmsuper.errors import UserError
from mmsuper.files import write_json
from mmsuper.projects.superposed_decoding import counting
from mmsuper.projects.superposed_decoding.counting import Packing, Part

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FORMAT, VERSION = "mmsuper n-grams", 1
HEADER = "index.json"
WORK = "building"

#: Tokens that followed a context, ascending; their counts; the counts' sum.
Row = tuple[np.ndarray, np.ndarray, int]
#: Called with what is being done, how much of it is done, and out of how much.
Progress = Callable[[str, int, int], None]


def _silent(what: str, done: int, total: int) -> None:
    """No progress shown."""


class NgramIndex:
    """An open index.

    Attributes:
        orders: Lengths of the contexts that it counts, from 1.
        vocab_size: Number of tokens there are.
        tokenizer: Where the tokenizer came from, or None if ids were counted.
        tokenizer_fingerprint: See :mod:`mmsuper.llm.tokenizers`; None if ids were counted.
        documents: How many were counted.
        tokens: How many were counted.
    """

    def __init__(self, folder: Path, header: dict[str, Any]) -> None:
        self.folder, self.header = folder, header
        self.orders = range(1, header["orders"] + 1)
        self.vocab_size: int = header["vocab_size"]
        self.tokenizer: str | None = header["tokenizer"]
        self.tokenizer_fingerprint: str | None = header["fingerprint"]
        segments = header["segments"]
        self.documents: int = sum(segment["documents"] for segment in segments)
        self.tokens: int = sum(segment["tokens"] for segment in segments)
        self.segments = [_Segment(folder, header, segment) for segment in segments]

    @classmethod
    def open(
        cls, folder: str | Path, tokenizer: PreTrainedTokenizerBase | None = None
    ) -> NgramIndex:
        """Open an index.

        Args:
            folder: Where it is.
            tokenizer: The tokenizer whose ids it will be asked about.

        Raises:
            UserError: If it is no index, damaged, of another version or another tokenizer.
        """
        folder = Path(folder)
        header = _read_header(folder)
        try:
            index = cls(folder, header)
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(folder, HEADER) from error
        if tokenizer is not None and index.tokenizer_fingerprint is not None:
            _check_tokenizer(folder, index.header, tokenizer)
        return index

    @property
    def ngrams(self) -> dict[int, int]:
        """Number of different n-grams by their length; those of added text count again."""
        lengths = range(2, self.header["orders"] + 2)
        return {n: sum(len(segment.tokens[n - 2]) for segment in self.segments) for n in lengths}

    @property
    def bytes(self) -> int:
        """Its size on disk, without its header."""
        return sum(array.nbytes for segment in self.segments for array in segment.arrays.values())

    def rows(self, context: Sequence[int], order: int) -> Row | None:
        """Tokens seen after the last ``order`` ids of a context.

        Args:
            context: Ids, at least ``order`` of them.
            order: How many of them count, one of :attr:`orders`.

        Returns:
            Tokens in ascending order, their counts and the counts' sum, or None where the
            context was never seen with a token after it.
        """
        if order not in self.orders or len(context) < order:
            raise ValueError(f"no contexts of {order} in {len(context)} ids, only {self.orders}")
        ids = context[-order:]
        found = [row for segment in self.segments if (row := segment.row(ids)) is not None]
        if not found:
            return None
        tokens, counts = found[0] if len(found) == 1 else _sum_of(found)
        return tokens, counts, int(counts.sum())

    def verify(self) -> None:
        """Read everything and compare it with its checksums.

        Raises:
            UserError: If a file is not as it was written.
        """
        for segment in self.segments:
            for name, array in segment.arrays.items():
                if zlib.crc32(array.data) != segment.header["sums"][name]:
                    raise _damaged(self.folder, f"{segment.header['folder']}/{name}.bin")


class _Segment:
    """The trie of one part of an index."""

    def __init__(self, folder: Path, index: dict[str, Any], header: dict[str, Any]) -> None:
        self.header = header
        self.vocab_size: int = index["vocab_size"]
        length = index["orders"] + 1
        self.arrays: dict[str, np.ndarray] = {}
        for name, kind in counting.file_types(length, self.vocab_size).items():
            what, _, level = name.partition("-")
            entries = header["entries"][level] + (what == "children")
            path = folder / header["folder"] / f"{name}.bin"
            self.arrays[name] = _mapped(folder, path, np.dtype(kind), entries)
        levels = range(2, length + 1)
        self.tokens = [self.arrays[f"tokens-{level}"] for level in levels]
        self.counts = [self.arrays[f"counts-{level}"] for level in levels]
        self.children = [self.arrays[f"children-{level}"] for level in range(1, length)]

    def row(self, ids: Sequence[int]) -> tuple[np.ndarray, np.ndarray] | None:
        """Tokens after some ids, and their counts."""
        node = int(ids[0])
        if not 0 <= node < self.vocab_size:
            return None
        begin, end = self.children[0][node : node + 2].tolist()
        for level, token in enumerate(ids[1:]):
            tokens = self.tokens[level]
            if begin == end or not 0 <= token < self.vocab_size:
                return None
            # Of the array's own type: else numpy converts the whole slice to the token's.
            found = begin + int(tokens[begin:end].searchsorted(tokens.dtype.type(token)))
            if found == end or tokens[found] != token:
                return None
            begin, end = self.children[level + 1][found : found + 2].tolist()
        if begin == end:
            return None
        last = len(ids) - 1
        return (
            self.tokens[last][begin:end].astype(np.int64),
            self.counts[last][begin:end].astype(np.int64),
        )


def build(
    texts: Iterable[str | Path],
    folder: str | Path,
    tokenizer: str | Path,
    orders: int = 5,
    jobs: int | None = None,
    key: str = "text",
    progress: Progress = _silent,
) -> NgramIndex:
    """Build an index of texts.

    Interrupted, it goes on where it was when called again with the same arguments.

    Args:
        texts: Files and folders, see :func:`counting.pieces`.
        folder: Where the index goes.
        tokenizer: Hugging Face folder or name on the hub.
        orders: Length of the longest context.
        jobs: Processes; as many as there are cores if None.
        key: Where a JSON line has its text.
        progress: Is told how far it is.

    Raises:
        UserError: If the folder has an index already, or a text or the tokenizer is of no use.
    """
    from mmsuper.llm import load_tokenizer
    from mmsuper.llm.tokenizers import fingerprint

    folder = Path(folder)
    if (folder / HEADER).exists():
        raise UserError(f"{folder} has an index already; `ngrams update` adds text to it")
    loaded = load_tokenizer(tokenizer)
    header = _new_header(1 + max(loaded.get_vocab().values()), orders)
    header |= {"tokenizer": str(tokenizer), "fingerprint": fingerprint(loaded)}
    runs, counted = _tokenised(texts, folder, header, jobs, key, progress)
    return _finish(folder, header, runs, counted, progress)


def update(
    folder: str | Path,
    texts: Iterable[str | Path],
    tokenizer: str | Path | None = None,
    jobs: int | None = None,
    key: str = "text",
    progress: Progress = _silent,
) -> NgramIndex:
    """Add texts to an index.

    All added text is kept in a segment of its own, so the time this takes grows with what
    was added so far and not with what the index was built from. Readers that have the index
    open keep what they have.

    Args:
        folder: The index.
        texts: See :func:`build`.
        tokenizer: Where the index's tokenizer is now, if not where it was.
        jobs: See :func:`build`.
        key: See :func:`build`.
        progress: See :func:`build`.

    Raises:
        UserError: If the index, its tokenizer or a text is of no use.
    """
    from mmsuper.llm import load_tokenizer

    folder = Path(folder)
    header = NgramIndex.open(folder).header
    source = tokenizer or header["tokenizer"]
    if source is None:
        raise UserError(f"{folder} was built from ids: name a tokenizer, or add ids")
    if header["fingerprint"] is not None:
        _check_tokenizer(folder, header, load_tokenizer(source))
    header = {**header, "tokenizer": str(source)}
    runs, counted = _tokenised(texts, folder, header, jobs, key, progress)
    return _add(folder, header, runs, counted, progress)


def build_from_ids(
    documents: Iterable[Sequence[int]], folder: str | Path, vocab_size: int, orders: int = 5
) -> NgramIndex:
    """Build an index of documents that are ids already; see :func:`build`.

    Raises:
        UserError: If an id is not in the vocabulary or the folder has an index already.
    """
    folder = Path(folder)
    if (folder / HEADER).exists():
        raise UserError(f"{folder} has an index already; `update_from_ids` adds to it")
    header = _new_header(vocab_size, orders)
    run, counted = _run_in_work(folder, header, documents)
    return _finish(folder, header, [run], counted)


def update_from_ids(folder: str | Path, documents: Iterable[Sequence[int]]) -> NgramIndex:
    """Add documents that are ids already; see :func:`update`."""
    folder = Path(folder)
    header = NgramIndex.open(folder).header
    run, counted = _run_in_work(folder, header, documents)
    return _add(folder, header, [run], counted)


def _new_header(vocab_size: int, orders: int) -> dict[str, Any]:
    if not 1 <= orders <= 15:
        raise UserError(f"contexts have 1 to 15 tokens, not {orders}")
    return {
        "format": FORMAT,
        "version": VERSION,
        "orders": orders,
        "vocab_size": vocab_size,
        "tokenizer": None,
        "fingerprint": None,
        "segments": [],
        "added_runs": 0,
    }


def _read_header(folder: Path) -> dict[str, Any]:
    path = folder / HEADER
    if not path.is_file():
        raise UserError(f"no n-gram index in {folder}; `ngrams build` makes one")
    try:
        header = json.loads(path.read_bytes())
    except ValueError as error:
        raise _damaged(folder, HEADER) from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise UserError(f"{path} is not of an n-gram index")
    if header.get("version") != VERSION:
        raise UserError(
            f"{folder} is an n-gram index of version {header.get('version')}, and this reads "
            f"version {VERSION}; build it anew with `ngrams build`"
        )
    return header


def _check_tokenizer(
    folder: Path, header: dict[str, Any], tokenizer: PreTrainedTokenizerBase
) -> None:
    from mmsuper.llm.tokenizers import fingerprint

    if fingerprint(tokenizer) != header["fingerprint"]:
        raise UserError(
            f"the n-gram index {folder} is of another tokenizer, {header['tokenizer']} with "
            f"{header['vocab_size']} tokens; build one with yours by `ngrams build`"
        )


def _damaged(folder: Path, name: str) -> UserError:
    return UserError(f"the n-gram index {folder} is damaged: {name}; build it anew")


def _mapped(folder: Path, path: Path, kind: np.dtype, entries: int) -> np.ndarray:
    if not path.is_file() or path.stat().st_size != entries * kind.itemsize:
        raise _damaged(folder, str(path.relative_to(folder)))
    if not entries:
        return np.empty(0, kind)
    return np.asarray(np.memmap(path, kind, "r"))


def _sum_of(rows: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    tokens, place = np.unique(np.concatenate([row[0] for row in rows]), return_inverse=True)
    counts = np.zeros(len(tokens), np.int64)
    np.add.at(counts, place, np.concatenate([row[1] for row in rows]))
    return tokens, counts


def _tokenised(
    texts: Iterable[str | Path],
    folder: Path,
    header: dict[str, Any],
    jobs: int | None,
    key: str,
    progress: Progress,
) -> tuple[list[Path], dict[str, int]]:
    """Make the runs that are not there yet; their paths, and what was counted."""
    parts = counting.pieces(texts)
    plan = {
        "header": header,
        "key": key,
        "pieces": [[asdict(part) for part in piece] for piece in parts],
        "changed": {p.path: Path(p.path).stat().st_mtime_ns for piece in parts for p in piece},
    }
    work = folder / WORK
    _prepare(work, plan)
    todo = [(work / f"{i}.npy", piece) for i, piece in enumerate(parts)]
    missing = [one for one in todo if not _sidecar(one[0]).is_file()]
    progress("tokenising", len(todo) - len(missing), len(todo))
    make_run = functools.partial(_make_run, header, key)
    for done, _ in enumerate(_in_processes(make_run, missing, jobs), 1):
        progress("tokenising", len(todo) - len(missing) + done, len(todo))
    counted = [json.loads(_sidecar(path).read_text()) for path, _ in todo]
    total = {name: sum(one[name] for one in counted) for name in ("documents", "tokens")}
    return [path for path, _ in todo], total


def _prepare(work: Path, plan: dict[str, Any]) -> None:
    """Keep what an interrupted call with the same plan has made, and nothing else."""
    path = work / "plan.json"
    try:
        same = json.loads(path.read_text()) == plan
    except (OSError, ValueError):
        same = False
    if not same:
        shutil.rmtree(work, ignore_errors=True)
        write_json(path, plan)


def _in_processes(make: Callable, todo: list, jobs: int | None) -> Iterator[None]:
    jobs = min(jobs or len(os.sched_getaffinity(0)), len(todo))
    if jobs <= 1:
        yield from map(make, todo)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        try:
            yield from pool.map(make, todo)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _make_run(header: dict[str, Any], key: str, todo: tuple[Path, list[Part]]) -> None:
    path, piece = todo
    # The processes are many already.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    tokenizer = _tokenizer(header["tokenizer"])
    ids = (
        tokenizer.encode(text, add_special_tokens=False, verbose=False)
        for text in counting.documents(piece, key)
    )
    _save(path, header, ids)


@functools.lru_cache(1)
def _tokenizer(name: str) -> PreTrainedTokenizerBase:
    from mmsuper.llm import load_tokenizer

    return load_tokenizer(name)


def _save(path: Path, header: dict[str, Any], documents: Iterable[Sequence[int]]) -> dict:
    """Write the run of some documents, and beside it what was counted."""
    texts = [np.asarray(ids, np.int64) for ids in documents]
    run = counting.run_of(texts, _packing(header))
    counted = {"documents": len(texts), "tokens": sum(map(len, texts))}
    counting.save_run(path, run)
    write_json(_sidecar(path), counted)
    return counted


def _run_in_work(
    folder: Path, header: dict[str, Any], documents: Iterable[Sequence[int]]
) -> tuple[Path, dict[str, int]]:
    shutil.rmtree(folder / WORK, ignore_errors=True)
    path = folder / WORK / "0.npy"
    return path, _save(path, header, documents)


def _sidecar(run: Path) -> Path:
    return run.with_suffix(".json")


def _packing(header: dict[str, Any]) -> Packing:
    return Packing(header["orders"] + 1, header["vocab_size"])


def _finish(
    folder: Path,
    header: dict[str, Any],
    runs: list[Path],
    counted: dict[str, int],
    progress: Progress = _silent,
) -> NgramIndex:
    """Make the first segment of a new index."""
    segment = _segment(folder, header, "base", runs, progress)
    return _publish(folder, {**header, "segments": [{**segment, **counted}]})


def _add(
    folder: Path,
    header: dict[str, Any],
    runs: list[Path],
    counted: dict[str, int],
    progress: Progress = _silent,
) -> NgramIndex:
    """Put new runs and those added before into a segment that takes the old one's place."""
    base, *added = header["segments"]
    kept = [folder / "added-runs" / f"{i}.npy" for i in range(header["added_runs"] + len(runs))]
    kept[0].parent.mkdir(exist_ok=True)
    for run, path in zip(runs, kept[header["added_runs"] :], strict=True):
        shutil.copyfile(run, path)
    number = max((int(one["folder"].partition("-")[2]) for one in added), default=0) + 1
    segment = _segment(folder, header, f"added-{number}", kept, progress)
    for name in counted:
        segment[name] = counted[name] + sum(one[name] for one in added)
    header = {**header, "segments": [base, segment], "added_runs": len(kept)}
    index = _publish(folder, header)
    for one in added:
        shutil.rmtree(folder / one["folder"])
    return index


def _segment(
    folder: Path, header: dict[str, Any], name: str, runs: list[Path], progress: Progress
) -> dict[str, Any]:
    """Merge runs into the levels of a trie; returns what the header says of them."""
    target = folder / name
    # What an interrupted call has left.
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    packing = _packing(header)
    rows = sum(np.load(run, mmap_mode="r", allow_pickle=False).shape[1] for run in runs)
    done = 0
    with counting.LevelWriter(target, packing) as writer:
        for windows, merged in counting.merged(runs, packing):
            writer.add(windows)
            done += merged
            progress("merging", done, rows)
        writer.close()
    return {"folder": name, "entries": writer.entries, "sums": writer.sums}


def _publish(folder: Path, header: dict[str, Any]) -> NgramIndex:
    write_json(folder / HEADER, header)
    shutil.rmtree(folder / WORK)
    return NgramIndex.open(folder)
