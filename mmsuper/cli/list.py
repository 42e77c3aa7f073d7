"""List the models: paper, task, parameters, the paper's metric, checkpoint.

PATTERN is a shell-style pattern for names, projects or papers; without a wildcard it may
match anywhere. Numbers are the paper's unless marked as measured by mmsuper.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mmsuper.apis.models import ModelInfo


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``list``."""
    parser.add_argument("pattern", nargs="?", default="*", metavar="PATTERN", help="which models")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def run(arguments: argparse.Namespace) -> int:
    """Run ``list``; exit code 1 if nothing matches."""
    import json

    from mmsuper.apis.models import list_models
    from mmsuper.errors import CheckFailed

    models = list_models(arguments.pattern)
    if arguments.json:
        print(json.dumps([_record(model) for model in models], indent=2))
        return 0
    if not models:
        raise CheckFailed(f"no model matches {arguments.pattern!r}; `list` alone shows all")
    _print_table(models)
    return 0


def _record(model: ModelInfo) -> dict[str, Any]:
    import dataclasses

    record = dataclasses.asdict(model)
    record["config"] = str(model.config)
    record["weights"] = None if model.weights is None else str(model.weights)
    return record


def _print_table(models: list[ModelInfo]) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    table = Table(Column("model", no_wrap=True), "task", Column("params", justify="right"))
    table.add_column("metric")
    table.add_column("checkpoint")
    for model in models:
        table.add_row(
            model.name,
            model.task,
            "" if model.params is None else f"{model.params:,}",
            _headline(model),
            _checkpoint(model),
        )
    papers = {model.project: model.paper for model in models}
    console = Console()
    console.print(table)
    for project, paper in papers.items():
        console.print(f"{project}: {paper}", highlight=False)


def _headline(model: ModelInfo) -> str:
    """The first data set's metrics, and whose measurement they are."""
    for dataset, metrics in model.metrics.items():
        values = ", ".join(f"{name} {value:g}" for name, value in metrics.items())
        return f"{dataset}: {values} ({model.source})"
    return ""


def _checkpoint(model: ModelInfo) -> str:
    if model.weights is not None:
        return "bundled"
    return "online" if model.url else "none"
