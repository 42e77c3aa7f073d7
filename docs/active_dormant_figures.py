"""Draw the figures of the page on active-dormant heads.

    python docs/active_dormant_figures.py theory
    python docs/active_dormant_figures.py runs WORK_DIR...
    python docs/active_dormant_figures.py heads REPORT.html

``theory`` simulates the reduced model and prints each prediction beside the simulation.
``runs`` reads the work dirs of trained toy models and prints a table of their last numbers.
``heads`` takes the pictures of the first model out of a page of `analyze heads`.
Pictures go to docs/_static unless ``-o`` names another folder.
"""

from __future__ import annotations

import argparse
import base64
import re
import sys
from pathlib import Path

from mmsuper.errors import UserError
from mmsuper.files import write_bytes
from mmsuper.projects.active_dormant import figures

STATIC = Path(__file__).parent / "_static"
PICTURES = {
    "heads": "weight on sink tokens by layer and head",
    "heads_loss": "loss change against sink weight",
    "heads_layers": "curves over layers",
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["theory", "runs", "heads"])
    parser.add_argument("work_dirs", nargs="*", metavar="WORK_DIR or REPORT")
    parser.add_argument("-o", "--out", type=Path, default=STATIC, help="folder of the pictures")
    arguments = parser.parse_args()
    try:
        if arguments.what == "theory":
            draw_theory(arguments.out)
        elif arguments.what == "heads":
            take_pictures(Path(*arguments.work_dirs), arguments.out)
        else:
            draw_runs([figures.Run.read(folder) for folder in arguments.work_dirs], arguments.out)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def draw_theory(folder: Path) -> None:
    found = figures.draw_theory(folder / "active_dormant_theory.png")
    print("| | predicted | simulated |\n|---|---|---|")
    for name, (predicted, simulated) in found.items():
        print(f"| {name} | {predicted:.5g} | {simulated:.5g} |")


def draw_runs(runs: list[figures.Run], folder: Path) -> None:
    if not runs:
        raise UserError("name the work dirs of trained toy models")
    figures.draw_dynamics(runs, folder / "active_dormant_dynamics.png")
    figures.draw_norms(runs, folder / "active_dormant_norms.png")
    figures.draw_attention(runs[0], folder / "active_dormant_attention.png")
    print(figures.table({run.name: figures.row(run) for run in runs}))


def take_pictures(page: Path, folder: Path) -> None:
    try:
        text = page.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"no report at {page}") from error
    for name, title in PICTURES.items():
        found = re.search(f'alt="{title}" src="data:image/png;base64,([^"]+)"', text)
        if not found:
            raise UserError(f"{page} has no picture of {title}")
        write_bytes(folder / f"active_dormant_{name}.png", base64.b64decode(found[1]))


if __name__ == "__main__":
    sys.exit(main())
