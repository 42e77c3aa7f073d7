"""The command line: ``python -m mmsuper VERB`` and ``tools/VERB.py``.

A verb is a module of this package with two functions::

    def add_arguments(parser: argparse.ArgumentParser) -> None: ...
    def run(arguments: argparse.Namespace) -> int: ...

Only the module of the verb that was named is imported, and a verb module imports nothing
beyond argparse at its top, so that every ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

import mmsuper
from mmsuper.errors import CheckFailed, UserError

VERBS = {
    "train": "train a model from a config",
    "test": "evaluate a checkpoint and print its metrics",
    "infer": "apply a model to your own files",
    "serve": "serve drafts of texts: OpenAI's completions, and a page to type in",
    "list": "list the models: paper, parameters, checkpoints",
    "config": "print, compare and explain configs",
    "browse": "draw a contact sheet of a data set as the model sees it",
    "analyze": "curves of runs; cost and speed of a model; its attention heads",
    "convert": "authors' checkpoint to ours, and back",
    "export": "write a model as ONNX",
    "parity": "compare with the authors' recorded outputs",
    "data": "make the sample data sets",
    "ngrams": "build n-gram indexes for Superposed Decoding",
    "doctor": "check this installation",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        argv: The words after the program's name; ``sys.argv[1:]`` if not given.

    Returns:
        The exit code: 0 done, 1 a check failed, 2 bad usage or input, 130 interrupted.
    """
    # Not list(...): once the verb of that name is imported, `list` is its module here.
    words = [*(sys.argv[1:] if argv is None else argv)]
    if words and words[0] in VERBS:
        return _run_verb(words[0], words[1:])
    parser = argparse.ArgumentParser(
        prog="python -m mmsuper",
        description=mmsuper.__doc__,
        epilog="VERB --help says more.",
    )
    parser.add_argument("--version", action="version", version=f"mmsuper {mmsuper.__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    for name, text in VERBS.items():
        verbs.add_parser(name, help=text)
    parser.parse_args(words)
    return 2


def _run_verb(verb: str, words: Sequence[str]) -> int:
    module = importlib.import_module(f"mmsuper.cli.{verb}")
    parser = argparse.ArgumentParser(
        prog=f"python -m mmsuper {verb}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    module.add_arguments(parser)
    arguments = parser.parse_args(words)
    try:
        return int(module.run(arguments))
    except (UserError, CheckFailed) as error:
        if arguments.debug:
            raise
        print(f"mmsuper {verb}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        if arguments.debug:
            raise
        print(f"mmsuper {verb}: interrupted", file=sys.stderr)
        return 130
