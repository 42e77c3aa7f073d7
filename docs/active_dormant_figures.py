"""Draw the figures of the page on active-dormant heads.

    python docs/active_dormant_figures.py theory
    python docs/active_dormant_figures.py runs WORK_DIR...
    python docs/active_dormant_figures.py heads REPORT.html
    python docs/active_dormant_figures.py gpt2 WORK_DIR -o FOLDER

``theory`` simulates the reduced model and prints each prediction beside the simulation.
``runs`` reads the work dirs of trained toy models, draws what they have for it, and prints the
paper's claims with the authors' numbers and theirs.
``heads`` takes the pictures of the first model out of a page of `analyze heads`; they get its name.
``gpt2`` writes a trained toy model as a folder of transformers, and two texts for `analyze heads`.
Pictures go to docs/_static unless ``-o`` names another folder.
"""

from __future__ import annotations

import argparse
import base64
import re
import sys
from pathlib import Path

from mmsuper.errors import UserError
from mmsuper.files import write_bytes, write_text
from mmsuper.projects.active_dormant import claims, figures, gpt2

STATIC = Path(__file__).parent / "_static"
# Of a report: end of the picture's name, and what the page calls it.
PICTURES = {
    "": "weight on sink tokens by layer and head",
    "_loss": "loss change against sink weight",
    "_layers": "curves over layers",
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["theory", "runs", "heads", "gpt2"])
    parser.add_argument("work_dirs", nargs="*", metavar="WORK_DIR or REPORT")
    parser.add_argument("-o", "--out", type=Path, default=STATIC, help="folder of the pictures")
    arguments = parser.parse_args()
    try:
        if arguments.what == "theory":
            draw_theory(arguments.out)
        elif arguments.what == "heads":
            take_pictures(Path(*arguments.work_dirs), arguments.out)
        elif arguments.what == "gpt2":
            write_gpt2(figures.Run.read(*arguments.work_dirs), arguments.out)
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
    by_name = {claims.short(run.name): run for run in runs}

    def chosen(*names: str) -> list[figures.Run]:
        return [by_name[name] for name in names if name in by_name]

    def picture(name: str) -> Path:
        return folder / f"active_dormant_{name}.png"

    if some := chosen("1l", "3l", "3l_sgd", "1l_relu", "3l_relu", "reduced"):
        figures.draw_dynamics(some, picture("dynamics"))
    if some := chosen("3l", "3l_sgd", "3l_relu"):
        figures.draw_norms(some, picture("norms"))
        figures.draw_mitigations(some, "no layer 0", picture("mitigations"))
    if some := chosen("1l", "1l_dormant-markov"):
        figures.draw_attention(some, picture("attention"))
    if some := [run for run in runs if len(run.lines[0]["layers"]) > 1]:
        figures.draw_peaks(some, picture("peaks"))
    if "1l" in by_name:
        print(claims.steps_table(by_name["1l"]))
    print(claims.table(runs))


def take_pictures(page: Path, folder: Path) -> None:
    try:
        text = page.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"no report at {page}") from error
    for end, title in PICTURES.items():
        found = re.search(f'alt="{title}" src="data:image/png;base64,([^"]+)"', text)
        if not found:
            raise UserError(f"{page} has no picture of {title}")
        write_bytes(folder / f"active_dormant_{page.stem}{end}.png", base64.b64decode(found[1]))


def write_gpt2(run: figures.Run, folder: Path) -> None:
    network, task = run.model()
    gpt2.to_gpt2(network).save_pretrained(folder)
    gpt2.tokenizer(task).save_pretrained(folder)
    for kind, text in gpt2.texts(task).items():
        write_text(folder / f"{kind}.txt", text)


if __name__ == "__main__":
    sys.exit(main())
