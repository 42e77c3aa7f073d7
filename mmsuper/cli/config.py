"""Print, compare and explain configs.

  print CONFIG         the whole config, bases merged in
  diff A B             every key whose value differs
  explain KEY CONFIG   which file set a key, on which line, and what it overrode

CONFIG is a file, or the name of one that a library ships, such as
mmdet::retinanet/retinanet_r50_fpn_1x_coco.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from mmsuper.cli.options import add_cfg_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``config``."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    printed = actions.add_parser("print", help="the whole config, bases merged in")
    printed.add_argument("config", metavar="CONFIG")
    add_cfg_options(printed)
    diff = actions.add_parser("diff", help="every key whose value differs")
    diff.add_argument("a", metavar="A", help="config file")
    diff.add_argument("b", metavar="B", help="config file")
    explain = actions.add_parser("explain", help="which file set a key")
    explain.add_argument("key", metavar="KEY", help="dotted key; a number indexes a list")
    explain.add_argument("config", metavar="CONFIG")


def run(arguments: argparse.Namespace) -> int:
    """Run ``config``."""
    actions = {"print": _print, "diff": _diff, "explain": _explain}
    return actions[arguments.action](arguments)


def _print(arguments: argparse.Namespace) -> int:
    from mmsuper import configuration
    from mmsuper.engine import options

    config = configuration.read(arguments.config, options.parse(arguments.cfg_options))
    print(config.pretty_text)
    return 0


def _diff(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    from mmsuper import configuration

    a = dict(flatten(configuration.read(arguments.a).to_dict()))
    b = dict(flatten(configuration.read(arguments.b).to_dict()))
    table = Table(*(Column(name, overflow="fold") for name in ("key", arguments.a, arguments.b)))
    for key in {**a, **b}:
        if key not in a or key not in b or a[key] != b[key]:
            table.add_row(key, *(Text(repr(c[key]) if key in c else "—") for c in (a, b)))
    console = Console()
    console.print(table if table.row_count else "The two configs are equal.")
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    import difflib

    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    from mmsuper import config_history, configuration
    from mmsuper.errors import UserError

    path = configuration.locate(arguments.config)
    config = configuration.read(path)
    settings = config_history.history(path, arguments.key)
    if not settings:
        known = [key for key, _ in flatten(config.to_dict(), inner=True)]
        near = difflib.get_close_matches(arguments.key, known, 1, 0)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UserError(f"{arguments.config} sets no key {arguments.key!r}{hint}")
    table = Table(Column("set by", overflow="fold"), Column("value", overflow="fold"), "")
    for i, setting in enumerate(settings, 1):
        removed = setting.value is config_history.MISSING
        table.add_row(
            setting.place(),
            Text("(removed)" if removed else repr(setting.value)),
            "in effect" if i == len(settings) else "overridden",
        )
    Console().print(table)
    return 0


def flatten(node: Any, prefix: str = "", inner: bool = False) -> Iterator[tuple[str, Any]]:
    """``(dotted key, value)`` of every leaf; empty dicts and lists are leaves.

    Args:
        node: A nest of dicts and lists.
        prefix: What the keys start with.
        inner: Whether to yield the dicts and lists themselves as well.
    """
    items: list[tuple[Any, Any]] = []
    if isinstance(node, dict):
        # `_scope_` only says through which library a dict was inherited.
        items = [(key, value) for key, value in node.items() if key != "_scope_"]
    elif isinstance(node, list | tuple):
        items = list(enumerate(node))
    if prefix and (inner or not items):
        yield prefix, node
    for key, value in items:
        yield from flatten(value, f"{prefix}.{key}" if prefix else str(key), inner)
