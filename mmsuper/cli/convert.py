"""Authors' checkpoint to ours, and back; a training checkpoint to one to publish.

Without --config, IN is a file of a paper's authors: the paper is recognised from its keys,
the network's arguments are read from its tensors, and OUT holds the same weights under our
names. With it, IN is a file that fits CONFIG, and OUT holds its network's weights alone,
under our names or, with --to-authors, under theirs. Converted files are not needed for use:
train, test and infer take training checkpoints and the authors' files as they are.

OUT ends in .safetensors (for exchange) or .pth (what the authors' code reads).
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.util
import json
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mmsuper.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("source", metavar="IN", help="checkpoint to read")
    parser.add_argument("target", metavar="OUT", help="file to write, .safetensors or .pth")
    parser.add_argument("--to-authors", action="store_true", help="write the authors' layout")
    parser.add_argument("--config", help="config that IN belongs to")
    parser.add_argument(
        "--network",
        nargs="+",
        default=[],
        type=_argument,
        metavar="KEY=VALUE",
        help="arguments of the network that its tensors do not tell, e.g. tlc_kernel=48",
    )
    parser.add_argument(
        "--weights",
        metavar="NAME",
        help="which of several state dicts to take; by default params_ema before params",
    )
    parser.add_argument(
        "--half", action="store_true", help="write float16: half the size, about 3 digits"
    )
    parser.add_argument(
        "--allow-pickle", action="store_true", help="read files that can run code on reading"
    )


def run(arguments: argparse.Namespace) -> int:
    """Convert one file; see the module's text."""
    from mmsuper import checkpoint

    if Path(arguments.target).suffix not in (".safetensors", ".pth"):
        raise UserError(f"{arguments.target} must end in .safetensors or .pth")
    if arguments.config:
        tensors, metadata, wrapper = _of_config(arguments)
    elif arguments.to_authors:
        raise UserError("--to-authors needs --config, the config of the network")
    else:
        tensors, metadata = _to_ours(arguments)
        wrapper = "params"
    if arguments.half:
        tensors = {k: x.half() if x.is_floating_point() else x for k, x in tensors.items()}
    checkpoint.save(arguments.target, tensors, metadata, wrapper)
    values = sum(tensor.numel() for tensor in tensors.values())
    print(f"{arguments.target}: {len(tensors)} tensors, {values:,} values")
    return 0


def _to_ours(arguments: argparse.Namespace) -> tuple[dict[str, Tensor], dict[str, str]]:
    from mmsuper import checkpoint

    content = checkpoint.read(arguments.source, arguments.allow_pickle)
    theirs = checkpoint.tensors(content, arguments.weights)
    for paper, convert in _converters():
        if convert.is_official(theirs):
            network = convert.from_official(theirs, **dict(arguments.network))
            found = {**convert.infer_arguments(theirs), **dict(arguments.network)}
            print(f"{paper}: {', '.join(f'{key}={value!r}' for key, value in found.items())}")
            return network.state_dict(), {"paper": paper, "network": json.dumps(found)}
    raise UserError(f"{arguments.source} is in the layout of none of the papers' authors")


def _of_config(arguments: argparse.Namespace) -> tuple[dict[str, Tensor], dict[str, str], str]:
    """Tensors, what to note beside them, and what the authors' files call them."""
    from mmengine.registry import MODELS, init_default_scope

    from mmsuper import checkpoint, configuration

    config = configuration.load(arguments.config)
    init_default_scope(config.get("default_scope", "mmengine"))
    model = MODELS.build(config.model)
    checkpoint.load_weights(model, arguments.source, arguments.allow_pickle, arguments.weights)
    for _, convert in checkpoint.project_networks(model):
        network = convert.network_of(model)
        if arguments.to_authors:
            return convert.to_official(network), {}, convert.WRAPPER
        return network.state_dict(), {"config": Path(arguments.config).stem}, "params"
    raise UserError(f"the model of {arguments.config} contains no network of a paper")


def _converters() -> list[tuple[str, ModuleType]]:
    """Every project's ``convert`` module that reads authors' checkpoints."""
    import mmsuper.projects

    names = [module.name for module in pkgutil.iter_modules(mmsuper.projects.__path__)]
    return [
        (name, importlib.import_module(f"mmsuper.projects.{name}.convert"))
        for name in names
        if importlib.util.find_spec(f"mmsuper.projects.{name}.convert")
    ]


def _argument(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return key, value
