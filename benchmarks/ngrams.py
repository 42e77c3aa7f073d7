"""The n-gram index against dictionaries: time to build, size, memory, look-ups.

    python benchmarks/ngrams.py demo/weights/tiny-llama data/samples/text/prose/train.txt \
        data/samples/text/code/train.txt --queries data/samples/text/prose/val.txt

Dictionaries count the same ids in memory, as the authors' code does, and are pickled for their
size. A look-up fetches the row of one context and its total; contexts of 1 to 5 tokens are taken
from another text, and both are looked up in turns, with files in memory. What one process does is
timed by the processor's clock, so other work on the machine hardly matters.
"""

from __future__ import annotations

import argparse
import pickle
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mmsuper.llm import load_tokenizer
from mmsuper.projects.superposed_decoding import counting, ngrams

ORDERS = 5
Table = dict[tuple[int, ...], dict[int, int]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tokenizer", help="Hugging Face folder")
    parser.add_argument("texts", nargs="+", type=Path, help="what is counted")
    parser.add_argument("--queries", type=Path, required=True, help="where contexts come from")
    parser.add_argument("--contexts", type=int, default=2000, help="contexts of each length (2000)")
    parser.add_argument("--runs", type=int, default=5, help="times each look-up is made (5)")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2], help="processes (1 2)")
    arguments = parser.parse_args()
    tokenizer = load_tokenizer(arguments.tokenizer)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for jobs in arguments.jobs:
            shutil.rmtree(folder)
            clock = time.process_time if jobs == 1 else time.perf_counter
            begin = clock()
            index = ngrams.build(
                arguments.texts, folder, arguments.tokenizer, ORDERS, jobs, progress=Phases(clock)
            )
            seconds = clock() - begin
            rate = index.tokens / seconds
            print(f"index, in {jobs} processes: {seconds:.1f} s, {rate:,.0f} tokens/s")
        pieces = counting.pieces(arguments.texts)
        begin = time.process_time()
        documents = [
            tokenizer.encode(text, add_special_tokens=False, verbose=False)
            for piece in pieces
            for text in counting.documents(piece)
        ]
        tokenised = time.process_time() - begin
        begin = time.process_time()
        table = dictionaries(documents)
        seconds = time.process_time() - begin
        pickled = len(pickle.dumps(table))
        print(f"dictionaries: {tokenised:.1f} s to tokenise, {seconds:.1f} s to count")
        print(f"{index.tokens:,} tokens; {sum(index.ngrams.values()):,} different n-grams")
        print(
            f"index {index.bytes / 1e6:.1f} MB on disk; dictionaries pickled {pickled / 1e6:.1f} MB"
        )
        ids = tokenizer.encode(arguments.queries.read_text(), verbose=False)
        compare(index, table, ids, arguments.contexts, arguments.runs)


class Phases:
    """Prints how long each phase of a build took."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.began: dict[str, float] = {}

    def __call__(self, what: str, done: int, total: int) -> None:
        now = self.clock()
        self.began.setdefault(what, now)
        if done == total and what in self.began:
            print(f"  {what}: {now - self.began[what]:.1f} s")


def dictionaries(documents: list[list[int]]) -> Table:
    table: Table = defaultdict(lambda: defaultdict(int))
    for ids in documents:
        for order in range(1, ORDERS + 1):
            for i in range(len(ids) - order):
                table[tuple(ids[i : i + order])][ids[i + order]] += 1
    return {context: dict(row) for context, row in table.items()}


def compare(
    index: ngrams.NgramIndex, table: Table, ids: list[int], contexts: int, runs: int
) -> None:
    """Median microseconds of a look-up, by the length of its context."""
    random = np.random.default_rng(0)
    for order in index.orders:
        places = random.integers(0, len(ids) - order, contexts)
        asked = [tuple(ids[i : i + order]) for i in places]
        rows = [index.rows(context, order) for context in asked]
        for context, row in zip(asked, rows, strict=True):
            found = (
                None if row is None else dict(zip(row[0].tolist(), row[1].tolist(), strict=True))
            )
            assert found == table.get(context), context
        of_index, of_table = [], []
        for _ in range(runs):
            begin = time.process_time()
            for context in asked:
                index.rows(context, order)
            middle = time.process_time()
            for context in asked:
                row = table.get(context)
                if row is not None:
                    sum(row.values())
            of_index.append((middle - begin) / contexts * 1e6)
            of_table.append((time.process_time() - middle) / contexts * 1e6)
        seen = sum(row is not None for row in rows) / contexts
        print(
            f"contexts of {order}, {seen:.0%} seen: index {statistics.median(of_index):.1f} us, "
            f"dictionaries {statistics.median(of_table):.1f} us"
        )


if __name__ == "__main__":
    main()
