"""Build n-gram indexes for Superposed Decoding, add your own text to them, look at them.

`build` counts which tokens follow which in text files, JSON lines and folders of them.
Interrupted, it goes on where it was when started again. `update` adds text to an index,
`info` says what an index holds and whether it is whole.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import TaskID

    from mmsuper.projects.superposed_decoding.ngrams import NgramIndex


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``ngrams``."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    build = actions.add_parser("build", help="count the n-grams of texts")
    _add_texts(build)
    build.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="where the index goes"
    )
    build.add_argument(
        "--tokenizer", required=True, metavar="NAME", help="Hugging Face folder or name on the hub"
    )
    build.add_argument(
        "--orders", type=int, default=5, metavar="N", help="tokens of the longest context (5)"
    )
    update = actions.add_parser("update", help="add texts to an index")
    update.add_argument("index", type=Path, metavar="DIR", help="the index")
    _add_texts(update)
    update.add_argument(
        "--tokenizer", metavar="NAME", help="where the tokenizer is now (where it was)"
    )
    info = actions.add_parser("info", help="describe an index and check that it is whole")
    info.add_argument("index", type=Path, metavar="DIR", help="the index")


def _add_texts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "texts",
        nargs="+",
        type=Path,
        metavar="TEXT",
        help="UTF-8 text files, .jsonl files, or folders of .txt and .jsonl files",
    )
    parser.add_argument(
        "--key", default="text", help="where a line of a .jsonl file has its text (text)"
    )
    parser.add_argument("-j", "--jobs", type=int, help="processes (one a core)")


def run(arguments: argparse.Namespace) -> int:
    """Run ``ngrams``; returns the exit code."""
    from mmsuper.projects.superposed_decoding import ngrams

    if arguments.action == "info":
        index = ngrams.NgramIndex.open(arguments.index)
        index.verify()
    else:
        index = _count(arguments)
    print(f"{index.folder}: {index.documents:,} documents, {index.tokens:,} tokens of ", end="")
    print(f"{index.tokenizer or 'unknown meaning'} ({index.vocab_size:,} in its vocabulary)")
    for order, entries in index.ngrams.items():
        print(f"  {entries:>13,} different n-grams of {order} tokens")
    print(f"  {index.bytes / 1e6:.1f} MB")
    return 0


def _count(arguments: argparse.Namespace) -> NgramIndex:
    from mmsuper.errors import UserError
    from mmsuper.projects.superposed_decoding import ngrams

    common = {"texts": arguments.texts, "tokenizer": arguments.tokenizer}
    common |= {"jobs": arguments.jobs, "key": arguments.key}
    try:
        with _progress() as progress:
            if arguments.action == "update":
                return ngrams.update(arguments.index, progress=progress, **common)
            return ngrams.build(
                folder=arguments.output, orders=arguments.orders, progress=progress, **common
            )
    except OSError as error:
        raise UserError(
            f"{error.strerror}: {error.filename or 'the index'}; what is done so far is kept, "
            "start again to go on"
        ) from error


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for each thing that is done, one below the other."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what)
            bars.update(tasks[what], completed=done, total=total)

        yield show
