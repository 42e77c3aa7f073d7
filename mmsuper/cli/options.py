"""Options that several verbs share."""

from __future__ import annotations

import argparse


def add_cfg_options(parser: argparse.ArgumentParser) -> None:
    """Declare ``--cfg-options``, whose words :func:`mmsuper.engine.options.parse` reads."""
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="change keys of the config: a.b=1 c='[1,2]'",
    )
