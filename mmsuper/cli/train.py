"""Train a model from a config.

Everything that a run makes is in its work dir: the expanded config, manifest.json,
metrics.json, checkpoints, and a log folder with text log, scalars and TensorBoard events.
"""

from __future__ import annotations

import argparse

from mmsuper.cli.options import add_cfg_options

LAUNCHERS = ("none", "pytorch", "slurm", "mpi")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``train``."""
    parser.add_argument("config", metavar="CONFIG", help="config file")
    parser.add_argument("--work-dir", metavar="DIR", help="default: work_dirs/<config's name>")
    parser.add_argument(
        "--resume",
        nargs="?",
        const="auto",
        metavar="PATH|auto",
        help="go on from a checkpoint; auto: the newest whole one in the work dir, if any",
    )
    parser.add_argument("--amp", action="store_true", help="mixed precision")
    parser.add_argument(
        "--auto-scale-lr", action="store_true", help="scale learning rates with the batch size"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="default: the config's, else 0")
    parser.add_argument(
        "--deterministic", action="store_true", help="only algorithms that repeat bit for bit"
    )
    parser.add_argument("--compile", action="store_true", help="compile the networks")
    parser.add_argument("--no-validate", action="store_true", help="do not validate")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="build everything, train on one batch, print size, memory and time; leave nothing",
    )
    add_common(parser)


def add_common(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments that ``train`` and ``test`` share."""
    add_cfg_options(parser)
    parser.add_argument(
        "--launcher", choices=LAUNCHERS, help="default: pytorch under torchrun, else none"
    )
    # What PyTorch's older launcher adds to a command line.
    parser.add_argument("--local_rank", "--local-rank", type=int, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    """Run ``train``."""
    from mmsuper.engine import driver

    return driver.train(arguments)
