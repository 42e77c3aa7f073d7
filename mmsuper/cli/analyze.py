"""Curves of runs; cost and speed of a model; what its attention heads do.

curves WORK_DIR...   draw what trainings logged, several runs in one picture
cost CONFIG          parameters and multiply-adds by module
speed CONFIG         time and peak memory of a forward pass, in a process of its own
heads MODEL...       sinks and active-dormant heads of a language model, as an HTML page
"""

from __future__ import annotations

import argparse

from mmsuper.cli.options import add_cfg_options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``analyze``."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    curves = actions.add_parser("curves", help="draw what trainings logged")
    curves.add_argument("work_dirs", nargs="+", metavar="WORK_DIR")
    curves.add_argument("--keys", nargs="+", default=[], help="default: losses and metrics")
    curves.add_argument("-o", "--out", default="curves.png", help="default: curves.png")

    cost = actions.add_parser("cost", help="parameters and multiply-adds by module")
    _add_model_arguments(cost)
    cost.add_argument("--depth", type=int, default=2, help="levels of modules; default: 2")
    cost.add_argument("--json", action="store_true", help="print JSON instead of a table")

    speed = actions.add_parser("speed", help="time and peak memory of a forward pass")
    _add_model_arguments(speed)
    speed.add_argument("--batch", type=int, default=1, help="pictures in a pass; default: 1")
    speed.add_argument("--device", help="default: cuda if there is one, else cpu")
    speed.add_argument("--compile", action="store_true", help="run through torch.compile")
    speed.add_argument("--seconds", type=float, default=5.0, help="how long to time; default: 5")
    speed.add_argument("--json", action="store_true", help="print JSON instead of a table")
    _add_heads_arguments(actions.add_parser("heads", help="attention heads of a language model"))


def _add_heads_arguments(heads: argparse.ArgumentParser) -> None:
    heads.add_argument(
        "models", nargs="+", metavar="MODEL", help="Hugging Face folder or name on the hub"
    )
    heads.add_argument(
        "--domain",
        action="append",
        required=True,
        metavar="NAME=FILES",
        help="a kind of text: a file, or a pattern in quotes; may be given again",
    )
    heads.add_argument(
        "--revisions", nargs="+", default=[], metavar="NAME", help="checkpoints of one model"
    )
    heads.add_argument("--length", type=int, default=128, help="tokens of a text; default: 128")
    heads.add_argument("--samples", type=int, default=32, help="texts of a kind; default: 32")
    heads.add_argument("--batch", type=int, default=4, help="texts at a time; default: 4")
    heads.add_argument("--candidates", type=int, default=8, help="heads to take out; default: 8")
    heads.add_argument(
        "--quantization-hints", action="store_true", help="what peaks cost in eight bits"
    )
    heads.add_argument(
        "--device", default="cpu", help="such as cuda, or auto for all that there are; default: cpu"
    )
    heads.add_argument("--dtype", help="default: float32 on cpu, else as stored")
    heads.add_argument("-o", "--out", default="heads.html", help="default: heads.html")


def run(arguments: argparse.Namespace) -> int:
    """Run ``analyze``."""
    actions = {"curves": _curves, "cost": _cost, "speed": _speed, "heads": _heads}
    return actions[arguments.action](arguments)


def _add_model_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", help="config file")
    parser.add_argument(
        "--shape",
        type=int,
        nargs="+",
        metavar="N",
        help="size of the input, C H W of a picture or T C H W of a clip; default: what the "
        "host library's papers use, and 5 frames of 64x64",
    )
    add_cfg_options(parser)


def _curves(arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

    from mmsuper.analysis import curves

    runs = {str(Path(folder)): curves.read(folder) for folder in arguments.work_dirs}
    keys = curves.choose_keys(list(runs.values()), arguments.keys)
    curves.draw(runs, keys, arguments.out)
    table = Table("run", "key", "points", "last step", "last", "lowest", "highest")
    for name, run in runs.items():
        for key in keys:
            if key in run:
                values = list(run[key].values())
                numbers = (values[-1], min(values), max(values))
                last = str(list(run[key])[-1])
                table.add_row(name, key, str(len(values)), last, *(f"{n:.6g}" for n in numbers))
    Console().print(table)
    print(f"drawn into {arguments.out}")
    return 0


def _cost(arguments: argparse.Namespace) -> int:
    import dataclasses
    import json

    from mmsuper import configuration
    from mmsuper.analysis import cost, network
    from mmsuper.engine import options

    config = configuration.load(arguments.config, options.parse(arguments.cfg_options))
    shape = tuple(arguments.shape or network.default_shape(config))
    costs = cost.count(lambda: network.build(config), shape, arguments.depth)
    if arguments.json:
        modules = [dataclasses.asdict(module) for module in costs]
        print(json.dumps({"shape": shape, **modules[0], "modules": modules[1:]}, indent=2))
        return 0
    _print_costs(costs, shape)
    return 0


def _print_costs(costs: list, shape: tuple[int, ...]) -> None:
    from rich.console import Console
    from rich.table import Table

    whole = costs[0]
    table = Table("module", "class", title=f"one input of {shape}")
    for heading in ("parameters", "multiply-adds", "share", "of which attention's products"):
        table.add_column(heading, justify="right")
    for module in costs[1:] + costs[:1]:
        share = module.multiply_adds / whole.multiply_adds if whole.multiply_adds else 0
        if module is whole:
            table.add_section()
        table.add_row(
            module.name or "total",
            module.kind,
            f"{module.parameters:,}",
            f"{module.multiply_adds / 1e9:.4g} G",
            f"{share:.1%}",
            f"{module.attention_products / 1e9:.4g} G" if module.attention_products else "",
        )
    Console().print(table)


def _speed(arguments: argparse.Namespace) -> int:
    import dataclasses
    import json

    import torch

    from mmsuper import configuration
    from mmsuper.analysis import network, speed
    from mmsuper.engine import options

    changes = options.parse(arguments.cfg_options)
    config = configuration.read(arguments.config, changes)
    shape = (arguments.batch, *(arguments.shape or network.default_shape(config)))
    device = arguments.device or ("cuda" if torch.cuda.is_available() else "cpu")
    found = speed.measure(
        arguments.config, changes, shape, device, arguments.compile, arguments.seconds
    )
    if arguments.json:
        record = {**dataclasses.asdict(found), "images_per_second": found.images_per_second}
        print(json.dumps(record, indent=2))
    else:
        _print_speed(found)
    return 0


def _print_speed(found: object) -> None:
    from rich.console import Console
    from rich.table import Table

    from mmsuper.analysis.speed import Speed

    assert isinstance(found, Speed)
    threads = f", {found.threads} threads" if found.device == "cpu" else ""
    table = Table("", "", show_header=False)
    table.add_row("device", f"{found.device}{threads}{', compiled' if found.compiled else ''}")
    table.add_row("input", str(found.shape))
    table.add_row("median of a pass", f"{found.median * 1e3:.1f} ms ({found.runs} passes)")
    table.add_row("fastest", f"{found.fastest * 1e3:.1f} ms")
    table.add_row("pictures per second", f"{found.images_per_second:.3g}")
    table.add_row("peak memory", f"{found.peak_memory / 2**20:.1f} MiB ({found.memory_source})")
    Console().print(table)


def _heads(arguments: argparse.Namespace) -> int:
    from mmsuper.projects.active_dormant import report_command

    for path in report_command.run(arguments):
        print(f"written: {path}")
    return 0
