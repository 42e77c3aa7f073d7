"""``analyze heads``: from the command line's words to the report's files."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Column, Table
from torch import Tensor

from mmsuper.errors import UserError
from mmsuper.llm import load_model, load_tokenizer, texts
from mmsuper.projects.active_dormant import quantization, report, report_page


def run(arguments: Namespace) -> list[Path]:
    """Measure the models, print what says most, and write the report.

    The report is written anew after each model, so what was measured is kept if a later one
    fails.

    Raises:
        UserError: If a model or a text is missing or cannot be used.
    """
    domains = parse_domains(arguments.domain)
    if arguments.length < 4 or min(arguments.samples, arguments.batch) < 1:
        raise UserError("texts have at least 4 tokens, and there is at least one of them")
    if arguments.candidates < 0:
        raise UserError(f"--candidates is how many heads to take out, not {arguments.candidates}")
    reports: list[report.Report] = []
    written: list[Path] = []
    for one in _checkpoints(arguments):
        reports.append(_report(*one, domains, arguments))
        written = report_page.write(reports, arguments.out)
        _print(reports[-1])
    return written


def parse_domains(words: Sequence[str]) -> dict[str, list[Path]]:
    """The files of each kind of text, from ``NAME=FILES``.

    Raises:
        UserError: If a word has another form or names no file.
    """
    found: dict[str, list[Path]] = {}
    for word in words:
        name, equals, pattern = word.partition("=")
        if not (name and equals and pattern):
            raise UserError(f"--domain takes NAME=FILES, not {word!r}")
        place = Path(pattern)
        files = [place]
        if not place.exists():
            files = sorted(Path(place.anchor).glob(str(place.relative_to(place.anchor))))
        if not files:
            raise UserError(f"no text at {pattern}")
        found.setdefault(name, []).extend(files)
    return found


def _checkpoints(arguments: Namespace) -> list[tuple[str, str | None]]:
    if arguments.revisions and len(arguments.models) > 1:
        raise UserError("--revisions are those of one model")
    if arguments.revisions:
        return [(arguments.models[0], revision) for revision in arguments.revisions]
    return [(model, None) for model in arguments.models]


def _report(
    name: str, revision: str | None, domains: dict[str, list[Path]], arguments: Namespace
) -> report.Report:
    dtype = arguments.dtype or ("float32" if arguments.device == "cpu" else None)
    options = {"revision": revision} if revision else {}
    spread = "auto" if arguments.device == "auto" else None
    model = load_model(name, dtype, arguments.device, spread, options)
    longest = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if longest and arguments.length > longest:
        raise UserError(f"{name} takes texts of up to {longest} tokens: --length {longest}")
    tokenizer = load_tokenizer(name, options)
    windows = {kind: _windows(kind, tokenizer, files, arguments) for kind, files in domains.items()}
    if (
        max(int(ids.max()) for ids in windows.values())
        >= model.get_input_embeddings().num_embeddings
    ):
        raise UserError(f"the tokenizer of {name} has tokens that the model does not know")
    title = f"{name}@{revision}" if revision else name

    def watch(batches: Sequence[Tensor], what: str) -> Iterable[Tensor]:
        console = Console(stderr=True)
        shown = console.is_terminal
        return track(
            batches, f"{title}: {what}", console=console, transient=True, disable=not shown
        )

    found = report.report(
        model, tokenizer, windows, title, arguments.batch, arguments.candidates, watch
    )
    if arguments.quantization_hints:
        found.quantization = quantization.hints(model, windows, arguments.batch, watch)
    return found


def _windows(kind: str, tokenizer: object, files: list[Path], arguments: Namespace) -> Tensor:
    def documents() -> Iterator[str]:
        for file in files:
            yield from texts.read(file)

    try:
        return report.windows(tokenizer, documents(), arguments.length, arguments.samples)
    except UserError as error:
        raise UserError(f"{kind}: {error}") from error


def _print(one: report.Report) -> None:
    console = Console(highlight=False, soft_wrap=True)
    rows = report_page.summary(one)
    names = [Column(name, overflow="fold") for name in next(iter(rows.values()))]
    table = Table("text", *names, title=one.name, caption=one.read)
    for kind, row in rows.items():
        table.add_row(kind, *(f"{value:.4g}" for value in row.values()))
    console.print(table)
    for head in one.candidates[:3]:
        changes = [f"{change.mean():+.4f} on {kind}" for kind, change in head.change.items()]
        console.print(
            f"layer {head.layer}, head {head.head}: score {head.score:.3f}, loss without it "
            + ", ".join(changes)
            + (" (active-dormant)" if head.proof(one.domains) else "")
        )
    if one.quantization:
        for kind, row in one.quantization.losses.items():
            console.print(f"{kind}: " + ", ".join(f"{way} {loss:.4f}" for way, loss in row.items()))
