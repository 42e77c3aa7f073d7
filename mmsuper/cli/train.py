"""Train a model from a config.

Everything a run makes is in its work dir: the expanded config, manifest.json, metrics.json,
checkpoints, and a log folder with text log, scalars and TensorBoard events.
"""

from __future__ import annotations

import argparse

LAUNCHERS = ("none", "pytorch", "slurm", "mpi")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``train``."""
    parser.add_argument("config", metavar="CONFIG", help="config file")
    parser.add_argument("--work-dir", metavar="DIR", help="default: work_dirs/<config's name>")
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="change keys of the config: a.b=1 c='[1,2]'",
    )
    parser.add_argument("--launcher", choices=LAUNCHERS, default="none", help="process launcher")


def run(arguments: argparse.Namespace) -> int:
    """Run ``train``."""
    from mmsuper.engine import driver

    return driver.train(arguments)
