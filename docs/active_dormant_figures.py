"""Draw the figures of the page on active-dormant heads.

    python docs/active_dormant_figures.py theory
    python docs/active_dormant_figures.py runs WORK_DIR...

``theory`` simulates the reduced model and prints each prediction beside the simulation.
``runs`` reads the work dirs of trained toy models and prints a table of their last numbers.
Pictures go to docs/_static unless ``-o`` names another folder.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mmsuper.errors import UserError
from mmsuper.projects.active_dormant import figures

STATIC = Path(__file__).parent / "_static"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["theory", "runs"])
    parser.add_argument("work_dirs", nargs="*", metavar="WORK_DIR")
    parser.add_argument("-o", "--out", type=Path, default=STATIC, help="folder of the pictures")
    arguments = parser.parse_args()
    try:
        if arguments.what == "theory":
            draw_theory(arguments.out)
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


if __name__ == "__main__":
    sys.exit(main())
