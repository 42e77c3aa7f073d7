"""The demonstration that `make demo` runs: train a little, enlarge photographs, show them.

Makes the sample photographs, trains DLGSANet-tiny x4 on them for some minutes, enlarges the
photographs that were held out with the weights that ship in demo/weights (which were trained
longer, by the same config), and writes demo/output/index.html.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mmsuper.apis.batch import check_writable, find_pictures
from mmsuper.apis.models import find_model
from mmsuper.apis.restoration import RestorationInferencer, bicubic
from mmsuper.data import image_io, samples
from mmsuper.data.image_io import Picture
from mmsuper.errors import UserError
from mmsuper.files import replacing, write_text
from mmsuper.visualization.comparison import Score, score

ROOT = Path(__file__).resolve().parents[1]
MODEL = "dlgsanet-tiny_x4_sample"
CONFIG = f"configs/dlgsanet/{MODEL}.py"
PHOTOGRAPHS = ROOT / "data/samples/sr"
CROP = 24  # side of the zoomed part, in input pixels
OWN_SIDE = 256  # of a user's photograph, so much of its middle is enlarged


@dataclass
class Panel:
    """One version of a photograph on the page."""

    title: str
    image: str
    detail: str
    score: Score | None = None


@dataclass
class Exhibit:
    """One photograph in all its versions."""

    name: str
    size: str
    seconds: float
    panels: list[Panel] = field(default_factory=list)


@dataclass
class Training:
    """What the short run of this demonstration did."""

    command: str
    iterations: int
    seconds: float
    losses: list[tuple[int, float]]
    psnrs: list[tuple[int, float]]


def main() -> int:
    """Run the demonstration; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--photos", type=Path, help="folder of photographs of yours, to enlarge")
    parser.add_argument("--iterations", type=int, default=150, help="of the short training (150)")
    parser.add_argument("--weights", type=Path, help="default: those of demo/weights")
    parser.add_argument("--output", type=Path, default=ROOT / "demo/output")
    arguments = parser.parse_args()
    try:
        page = run(arguments)
    except UserError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as error:
        print(f"demo: the training ended with exit code {error.returncode}", file=sys.stderr)
        return 1
    print(f"\nOpen {page}")
    return 0


def run(arguments: argparse.Namespace) -> Path:
    """Do every step; returns the page's path."""
    output = arguments.output.resolve()
    # Asked first, so that missing weights or photographs are told before minutes of training.
    weights = arguments.weights or find_model(MODEL).weights
    enlarge = RestorationInferencer(MODEL, weights)
    assert weights is not None  # the line above has raised otherwise
    paths = [path for path, _ in find_pictures([arguments.photos])] if arguments.photos else []
    photos = [(path.stem, middle(image_io.read(path))) for path in paths]

    check_writable([output])

    print("1. Sample photographs", flush=True)
    samples.make(ROOT / "data/samples", ["sr"])
    print(f"2. A short training, {arguments.iterations} iterations", flush=True)
    training = train(arguments.iterations, output / "run")
    print("3. Enlarging the photographs that were held out", flush=True)
    images = output / "images"
    exhibits = []
    for path in sorted((PHOTOGRAPHS / "val/LRx4").glob("*.png")):
        truth = image_io.read(PHOTOGRAPHS / "val/HR" / path.name)
        exhibits.append(show(path.stem, image_io.read(path), truth, enlarge, images / path.stem))
    print_table(exhibits)
    own = [
        show(name, picture, None, enlarge, images / f"own-{index}")
        for index, (name, picture) in enumerate(photos, 1)
    ]
    return write_page(output, exhibits, own, training, enlarge, weights.name)


def train(iterations: int, work_dir: Path) -> Training:
    """Train from scratch with the driver, as a user would, and read its log."""
    if (work_dir / "manifest.json").is_file():  # of an earlier demonstration
        shutil.rmtree(work_dir)
    warm_up = max(iterations // 10, 1)
    options = [
        f"train_cfg.max_iters={iterations}",
        f"train_cfg.val_interval={max(iterations // 4, 1)}",
        f"param_scheduler.0.end={warm_up}",
        f"param_scheduler.1.begin={warm_up}",
        f"param_scheduler.1.end={iterations}",
        "default_hooks.logger.interval=5",
    ]
    words = ["-m", "mmsuper", "train", CONFIG, "--seed", "0", "--work-dir", str(work_dir)]
    started = time.monotonic()
    subprocess.run([sys.executable, *words, "--cfg-options", *options], cwd=ROOT, check=True)
    seconds = time.monotonic() - started
    lines = [
        json.loads(line)
        for path in sorted(work_dir.glob("**/scalars.json"))
        for line in path.read_text().splitlines()
    ]
    return Training(
        command=f"python -m mmsuper train {CONFIG}",
        iterations=iterations,
        seconds=seconds,
        losses=[(line["step"], line["loss"]) for line in lines if "loss" in line],
        psnrs=[(line["step"], line["PSNR"]) for line in lines if "PSNR" in line],
    )


def middle(picture: Picture) -> Picture:
    """The middle of a user's photograph: whole ones are the business of the verb infer."""
    height, width = picture.pixels.shape[:2]
    top, left = max(height - OWN_SIDE, 0) // 2, max(width - OWN_SIDE, 0) // 2
    return picture.with_pixels(picture.pixels[top : top + OWN_SIDE, left : left + OWN_SIDE])


def show(
    name: str,
    picture: Picture,
    truth: Picture | None,
    enlarge: RestorationInferencer,
    folder: Path,
) -> Exhibit:
    """Enlarge a picture, write all its versions and score those that can be."""
    started = time.monotonic()
    ours = image_io.displayed(enlarge.restore(picture))
    seconds = time.monotonic() - started
    scale = enlarge.scale
    small = image_io.displayed(picture)
    height, width = ours.shape[:2]
    versions = {
        "input": small.repeat(scale, axis=0).repeat(scale, axis=1),
        "bicubic": image_io.displayed(bicubic(picture, scale)),
        "ours": ours,
    }
    if truth is not None:
        versions["truth"] = image_io.displayed(truth)[:height, :width]
    rows, columns = busiest_part(versions.get("truth", ours), CROP * scale)
    result = Exhibit(name, f"{small.shape[1]}x{small.shape[0]} to {width}x{height}", seconds)
    for version, pixels in versions.items():
        stem = f"images/{folder.name}/{version}"
        panel = Panel(version, f"{stem}.png", f"{stem}-detail.png")
        if truth is not None and version in ("bicubic", "ours"):
            panel.score = score(pixels, versions["truth"], scale)
        image_io.write(folder.parents[1] / panel.image, image_io.from_array(pixels))
        crop = np.ascontiguousarray(pixels[rows, columns])
        image_io.write(folder.parents[1] / panel.detail, image_io.from_array(crop))
        result.panels.append(panel)
    return result


def busiest_part(pixels: np.ndarray, side: int) -> tuple[slice, slice]:
    """Where the picture has most edges, so that nobody chose what is shown enlarged."""
    grey = pixels.mean(axis=2)
    edges = np.abs(np.gradient(grey)).sum(axis=0)
    side = min(side, *grey.shape)
    sums = np.pad(edges, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    totals = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    top, left = np.unravel_index(totals.argmax(), totals.shape)
    return slice(int(top), int(top) + side), slice(int(left), int(left) + side)


def mean_score(exhibits: list[Exhibit], title: str) -> Score:
    """Mean over the photographs of one version's scores."""
    scores = [p.score for e in exhibits for p in e.panels if p.title == title and p.score]
    return Score(*(sum(values) / len(scores) for values in zip(*scores, strict=True)))


def print_table(exhibits: list[Exhibit]) -> None:
    """Print the scores of every held-out photograph, and their means."""
    from rich.console import Console
    from rich.table import Table

    table = Table("held out", "bicubic PSNR-Y / SSIM-Y", "ours PSNR-Y / SSIM-Y", "seconds")
    for item in exhibits:
        scores = [str(panel.score) for panel in item.panels if panel.score]
        table.add_row(item.name, *scores, f"{item.seconds:.1f}")
    table.add_section()
    table.add_row("mean", *(str(mean_score(exhibits, title)) for title in ("bicubic", "ours")))
    Console().print(table)


def draw_curve(training: Training, path: Path) -> None:
    """Loss and validation PSNR of the short run, as SVG."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot as plt

    figure, left = plt.subplots(figsize=(8, 3.2), layout="constrained")
    left.plot(*zip(*training.losses, strict=True), color="#1f5fa8", label="training loss (L1)")
    left.set(xlabel="iteration", ylabel="training loss (L1)", ylim=(0, None))
    right = left.twinx()
    right.plot(*zip(*training.psnrs, strict=True), "o-", color="#c2571a", label="held-out PSNR-Y")
    right.set(ylabel="held-out PSNR-Y in dB")
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    for axes in (left, right):
        axes.spines["top"].set_visible(False)
    with replacing(path) as draft:
        figure.savefig(draft, format="svg")
    plt.close(figure)


def write_page(
    output: Path,
    exhibits: list[Exhibit],
    own: list[Exhibit],
    training: Training,
    enlarge: RestorationInferencer,
    weights: str,
) -> Path:
    """Fill in page.html; returns where the result is."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    draw_curve(training, output / "curve.svg")
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined
    )
    html = environment.get_template("page.html").render(
        exhibits=exhibits,
        own=own,
        training=training,
        model=MODEL,
        weights=weights,
        trained_on=len(list(PHOTOGRAPHS.glob("train/HR/*.png"))),
        scale=enlarge.scale,
        parameters=sum(p.numel() for p in enlarge.network.parameters()),
        device=str(enlarge.device),
        mean={title: mean_score(exhibits, title) for title in ("bicubic", "ours")},
        written=time.strftime("%Y-%m-%d %H:%M"),
    )
    page = output / "index.html"
    write_text(page, html)
    return page


if __name__ == "__main__":
    sys.exit(main())
