"""Evaluate a checkpoint with a config's test set and print the metrics.

The checkpoint may be one of a training, a published file, or the authors' own.
"""

from __future__ import annotations

import argparse

from mmsuper.cli.train import add_common


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``test``."""
    parser.add_argument("config", metavar="CONFIG", help="config file")
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="ours or the authors'")
    parser.add_argument("--work-dir", metavar="DIR", help="default: work_dirs/<config>/test")
    parser.add_argument(
        "--out", metavar="FILE", help="write the metrics (.json) or the predictions (.pkl)"
    )
    parser.add_argument("--show-dir", metavar="DIR", help="write the predictions as pictures")
    parser.add_argument(
        "--tta", action="store_true", help="test-time augmentation, by the config's tta_model"
    )
    add_common(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run ``test``."""
    from mmsuper.engine import driver

    return driver.test(arguments)
