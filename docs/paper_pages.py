"""The tables of results in the projects' READMEs, and the papers' pages, from the metafiles.

    python docs/paper_pages.py            # put the tables into the READMEs
    python docs/paper_pages.py --check    # exit code 1 if one is out of date

Sphinx calls :func:`write_pages`, which writes ``docs/projects/<paper>.md``: the README with
links that work on the site.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
BEGIN = "<!-- results: made from the metafile by docs/paper_pages.py; do not edit -->"
END = "<!-- end of results -->"


def metafiles() -> list[Path]:
    """The metafiles that the model index lists."""
    index = yaml.safe_load((ROOT / "model-index.yml").read_text())
    return [ROOT / path for path in index["Import"]]


def readme_of(metafile: Path) -> Path:
    """README of the project that a metafile describes."""
    return ROOT / yaml.safe_load(metafile.read_text())["Collections"][0]["README"]


def with_results(readme: str, metafile: Path) -> str:
    """A README's text with the block of results made anew.

    Raises:
        ValueError: If the text has no such block.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the README lacks the lines {BEGIN!r} and {END!r}")
    models = yaml.safe_load(metafile.read_text())["Models"]
    return f"{before}{BEGIN}\n\n{results(models)}\n\n{END}{after}"


def results(models: list[dict[str, Any]]) -> str:
    """A table of the models with their cost and first test set; tables of all test sets."""
    notes = list(dict.fromkeys(note for m in models if (note := m["Metadata"].get("Note"))))
    marks = {note: f"<sup>{i}</sup>" for i, note in enumerate(notes, 1)}
    parts = [table(OVERVIEW, (overview_row(model, marks) for model in models))]
    for sets in dict.fromkeys(map(test_sets, models)):
        if len(sets) > 1:
            alike = [model for model in models if test_sets(model) == sets]
            rows = (row for model in alike for row in metric_rows(model, sets))
            parts += ["All test sets:", table(["config", "numbers of", *sets], rows)]
    parts += [f"{mark} {note[0].upper()}{note[1:]}." for note, mark in marks.items()]
    return "\n\n".join(parts)


def test_sets(model: dict[str, Any]) -> tuple[str, ...]:
    """Names of the data sets that a model has numbers for."""
    return tuple(dict.fromkeys(result["Dataset"] for result in model.get("Results", [])))


OVERVIEW = [
    "config",
    "params",
    "FLOPs @ input (paper's count)",
    "paper's",
    "authors' released weights",
    "ours",
    "checkpoint",
]


def overview_row(model: dict[str, Any], marks: dict[str, str]) -> list[str]:
    """One row of the first table."""
    metadata = model["Metadata"]
    config = f"[{model['Name']}](../../{model['Config']}){marks.get(metadata.get('Note'), '')}"
    flops = "-"
    if "FLOPs" in metadata:
        flops = f"{amount(metadata['FLOPs'])} @ {metadata['Input Size']}"
    if "FLOPs without attention" in metadata:
        flops += f"; {amount(metadata['FLOPs without attention'])} without attention"
    if "Paper FLOPs" in metadata:
        flops += f" ({amount(metadata['Paper FLOPs'])})"
    numbers = [first(metrics) for metrics in by_source(model).values()]
    if "Bicubic" in metadata:
        numbers[-1] += f" (bicubic: {cell(metadata['Bicubic'])})"
    weights = model.get("Weights")
    link = f"[{Path(weights).name}]({address(weights)})" if weights else "-"
    parameters = f"{metadata['Parameters']:,}" if "Parameters" in metadata else "-"
    return [config, parameters, flops, *numbers, link]


def metric_rows(model: dict[str, Any], sets: tuple[str, ...]) -> Iterable[list[str]]:
    """A row of the second table for each of a model's sources of numbers."""
    for source, metrics in by_source(model).items():
        if metrics:
            yield [model["Name"], source, *(cell(metrics.get(name)) for name in sets)]


def by_source(model: dict[str, Any]) -> dict[str, dict[str, dict[str, float]]]:
    """``{whose numbers: {data set: {metric: value}}}``, in the order of the columns."""
    metadata = model["Metadata"]
    stated: dict[str, dict[str, float]] = {}
    for result in model.get("Results", []):
        stated.setdefault(result["Dataset"], {}).update(result["Metrics"])
    ours = metadata["Source"] == "mmsuper"
    return {
        "the paper": {} if ours else stated,
        "the authors' released weights": metadata.get("Authors' release", {}),
        "this project": stated if ours else {},
    }


def first(metrics: dict[str, dict[str, float]]) -> str:
    """The numbers on the first test set, with its name."""
    return next((f"{name} {cell(values)}" for name, values in metrics.items()), "-")


def cell(values: dict[str, float] | None) -> str:
    """Numbers as they are usually written: 32.46 / 0.8984; more digits if stated with more."""
    if values is None:
        return "-"
    return " / ".join(map(number, values.values()))


def number(value: float) -> str:
    """Four decimals, or two where the other two are zero and the number is no fraction."""
    text = f"{value:.4f}"
    return text.removesuffix("00") if value >= 1 else text


def amount(flops: float) -> str:
    """Operations in 10^9, or in 10^6 where that is too large a unit."""
    return f"{flops / 1e9:.1f} G" if flops >= 1e8 else f"{flops / 1e6:.1f} M"


def table(header: list[str], rows: Iterable[list[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def address(weights: str) -> str:
    """Where a README in ``projects/<paper>`` links a checkpoint."""
    return weights if "://" in weights else f"../../{weights}"


def write_pages() -> None:
    """Write the papers' pages; a page that is current is left alone."""
    for metafile in metafiles():
        readme = readme_of(metafile)
        page = DOCS / "projects" / f"{readme.parent.name}.md"
        text = links_for_site(with_results(readme.read_text(), metafile), readme.parent, page)
        page.parent.mkdir(exist_ok=True)
        if not page.is_file() or page.read_text() != text:
            page.write_text(text)


def links_for_site(text: str, folder: Path, page: Path) -> str:
    """Point links to documentation pages and pictures at them; write other files' paths out.

    Args:
        text: Markdown.
        folder: Folder that the text's links are relative to.
        page: Where the text goes.
    """

    def link(match: re.Match[str]) -> str:
        words, target = match.groups()
        if "://" in target or target.startswith("#"):
            return match[0]
        file = (folder / target.partition("#")[0]).resolve()
        if file.is_relative_to(DOCS) and file.suffix in (".md", ".png", ".jpg"):
            return f"[{words}]({os.path.relpath(file, page.parent)})"
        path = f"`{file.relative_to(ROOT)}`"
        return f"`{words}`" if words in (file.name, file.stem) else f"{words} ({path})"

    return re.sub(r"\[([^\]]+)\]\(([^)]+)\)", link, text)


def main() -> int:
    """Bring the READMEs up to date, or look whether they are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only look")
    check = parser.parse_args().check
    outdated = 0
    for metafile in metafiles():
        readme = readme_of(metafile)
        old = readme.read_text()
        new = with_results(old, metafile)
        if new != old:
            outdated += 1
            print(f"{readme.relative_to(ROOT)}: {'out of date' if check else 'results renewed'}")
            if not check:
                readme.write_text(new)
    return int(check and outdated > 0)


if __name__ == "__main__":
    raise SystemExit(main())
