"""Write a model as ONNX, for pictures of any height and width.

Of a classifier everything is written, up to the scores before softmax; of a detector or
segmentor its backbone, up to the maps that the heads read. Normalization is part of it: the
input is RGB from 0 to 255, (batch, 3, height, width). What ONNX Runtime computes from the
file is compared with PyTorch at two sizes before the file gets its name.

Needs the extra 'export': pip install 'mmsuper-lab[export]'.
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument(
        "model", metavar="MODEL", help="model or paper (see the verb list), or a config file"
    )
    parser.add_argument("target", metavar="OUT", help="file to write, .onnx")
    parser.add_argument(
        "--weights", metavar="PATH", help="checkpoint, ours or the authors'; default: the model's"
    )
    parser.add_argument(
        "--fold",
        action="store_true",
        help="fold norms and factors into the weights beside them: faster, the same result",
    )


def run(arguments: argparse.Namespace) -> int:
    """Export one model; see the module's text."""
    from mmsuper.apis.export import export
    from mmsuper.errors import UserError

    if not arguments.target.endswith(".onnx"):
        raise UserError(f"{arguments.target} must end in .onnx")
    outputs, error = export(arguments.model, arguments.target, arguments.weights, arguments.fold)
    print(f"{arguments.target}: {', '.join(outputs)}; ONNX Runtime differs by {error:.0e} at most")
    return 0
