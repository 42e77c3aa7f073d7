"""Evaluate a checkpoint with a config's test set and print the metrics."""

from __future__ import annotations

import argparse

from mmsuper.cli.train import LAUNCHERS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``test``."""
    parser.add_argument("config", metavar="CONFIG", help="config file")
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="ours or the authors'")
    parser.add_argument("--work-dir", metavar="DIR", help="default: work_dirs/<config>/test")
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="change keys of the config: a.b=1 c='[1,2]'",
    )
    parser.add_argument("--launcher", choices=LAUNCHERS, default="none", help="process launcher")


def run(arguments: argparse.Namespace) -> int:
    """Run ``test``."""
    from mmsuper.engine import driver

    return driver.test(arguments)
