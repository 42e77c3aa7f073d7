"""Make the sample data sets, or prepare your own or a downloaded one.

Without arguments all sample kinds are made; what is there already stays. `prepare pairs`
makes HR and LRx2, LRx3, LRx4 folders out of pictures, by MATLAB bicubic. `prepare div2k`
cuts a downloaded DIV2K into the sub-images that the training configs read. `prepare reds`
merges the parts of REDS and lists them, `prepare vimeo90k` reduces Vimeo-90K and
`prepare clips-bd` other clips (Vid4, UDM10) as video papers' "BD" does. `bicubic` measures the
baseline: PSNR and SSIM of enlarging each picture of a folder of pairs, on luma and without a border
of 4 pixels, or each clip, in RGB.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``data``."""
    parser.add_argument(
        "what",
        nargs="*",
        metavar="KIND",
        help="kinds of sample data (default: all), or: prepare WHAT, bicubic",
    )
    parser.add_argument("-i", "--input", type=Path, help="prepare, bicubic: the pictures")
    parser.add_argument(
        "-o", "--output", type=Path, help="where to (data/samples; div2k: same as input)"
    )
    parser.add_argument(
        "--scales", type=int, nargs="+", default=[2, 3, 4], help="which scales (2 3 4)"
    )
    parser.add_argument("-j", "--jobs", type=int, help="prepare: processes (one a core)")


def run(arguments: argparse.Namespace) -> int:
    """Make or prepare data; returns the exit code."""
    if arguments.what[:1] == ["prepare"]:
        return _prepare(arguments)
    if arguments.what[:1] == ["bicubic"]:
        return _bicubic(arguments)
    return _make_samples(arguments)


def _make_samples(arguments: argparse.Namespace) -> int:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from mmsuper.data import samples

    root = arguments.output or Path("data/samples")
    kinds = arguments.what or list(samples.ALL)
    samples.check_kinds(kinds)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn()) as progress:
        task = progress.add_task("sample data", total=len(kinds))
        for kind in kinds:
            progress.update(task, description=kind)
            samples.make(root, [kind])
            progress.advance(task)
    for kind in kinds:
        print(root / kind)
    return 0


def _prepare(arguments: argparse.Namespace) -> int:
    from mmsuper.data import prepare
    from mmsuper.errors import UserError

    source, target = arguments.input, arguments.output
    what = arguments.what[1:]
    if what == ["div2k"]:
        source = source or Path("data/DIV2K")
        target = target or source
        count = prepare.div2k(source, target, arguments.scales, arguments.jobs)
        print(f"{count} sub-images at each scale in {target}")
    elif what == ["reds"]:
        source = source or Path("data/REDS")
        print(f"{prepare.reds(source)} clips to train with in {source}")
    elif what == ["vimeo90k"]:
        source = source or Path("data/vimeo90k")
        print(f"{prepare.vimeo90k(source, arguments.jobs)} clips in {source / 'BDx4'}")
    elif what in (["pairs"], ["clips-bd"]):
        if source is None or target is None:
            raise UserError(f"prepare {what[0]} needs -i, where from, and -o, where to")
        if what == ["pairs"]:
            count = prepare.pairs(source, target, arguments.scales, arguments.jobs)
            print(f"{count} pictures at each scale in {target}")
        else:
            print(f"{prepare.clips_bd(source, target, arguments.jobs)} clips in {target}")
    else:
        raise UserError("prepare knows: pairs, div2k, reds, vimeo90k, clips-bd")
    return 0


def _bicubic(arguments: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from mmsuper.data import samples
    from mmsuper.evaluation import bicubic

    folder = arguments.input
    if folder is None:
        samples.make("data/samples", ["sr"])
        folder = Path("data/samples/sr/val")
    table = Table("", title=f"MATLAB bicubic: {folder}")
    rows: dict[str, list[str]] = {}
    for scale in arguments.scales:
        table.add_column(f"x{scale} PSNR", justify="right")
        table.add_column(f"x{scale} SSIM", justify="right")
        results = bicubic.measure(folder, scale)
        count = len(results)
        mean = (sum(r.psnr for r in results) / count, sum(r.ssim for r in results) / count)
        for name, psnr, ssim in [*results, ("mean", *mean)]:
            rows.setdefault(name, []).extend([f"{psnr:.2f}", f"{ssim:.4f}"])
    for name, cells in rows.items():
        table.add_row(name, *cells, end_section=name == list(rows)[-2])
    Console().print(table)
    return 0
