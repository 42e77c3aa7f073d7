"""Draw a contact sheet of a data set as the model sees it.

CONFIG is a whole config or only a data set's. --stage loaded stops after the files are
read; augmented (the default) goes through the whole pipeline.
"""

from __future__ import annotations

import argparse

from mmsuper.cli.options import add_cfg_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``browse``."""
    parser.add_argument("config", metavar="CONFIG", help="config file")
    parser.add_argument("-o", "--out", default="sheet.png", help="default: sheet.png")
    parser.add_argument("--split", choices=("train", "val", "test"), default="train")
    parser.add_argument("-n", "--number", type=int, default=16, help="samples; default: 16")
    parser.add_argument("--stage", choices=("loaded", "augmented"), default="augmented")
    parser.add_argument("--seed", type=int, default=0, help="of the augmentations; default: 0")
    add_cfg_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run ``browse``."""
    from mmsuper.engine import options
    from mmsuper.errors import UserError
    from mmsuper.visualization import browsing

    if arguments.number < 1:
        raise UserError(f"-n {arguments.number}: at least one sample must be drawn")
    drawn, size = browsing.browse(
        arguments.config,
        options.parse(arguments.cfg_options),
        arguments.out,
        split=arguments.split,
        number=arguments.number,
        whole_pipeline=arguments.stage == "augmented",
        seed=arguments.seed,
    )
    print(f"{drawn} of {size} samples drawn into {arguments.out}")
    return 0
