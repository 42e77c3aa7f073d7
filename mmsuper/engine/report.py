"""What ``train`` and ``test`` print beside their logs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def note(text: str) -> None:
    """Print a line on standard error."""
    Console(stderr=True, soft_wrap=True).print(text, markup=False, highlight=False)


def pairs(rows: list[tuple[str, str]]) -> None:
    """Print names and values in two columns."""
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        Console().print(f"{name:<{width}}  {value}", highlight=False)


def metrics(work_dir: str | Path, stage: str) -> dict[str, Any]:
    """Print the metrics that a run left in its work dir, and return them.

    Args:
        work_dir: Where ``metrics.json`` is.
        stage: "val" or "test".
    """
    path = Path(work_dir) / "metrics.json"
    found = json.loads(path.read_text(encoding="utf-8")).get(stage, {})
    table = Table("metric", "value", title=stage)
    for name, value in found.items():
        if isinstance(value, list):
            table.add_section()
            for row in value:
                table.add_row(*_row(row))
        else:
            table.add_row(name, _text(value))
    if table.row_count:
        Console().print(table)
    return found


def _row(row: Any) -> tuple[str, str]:
    """A row of a metric that has one per picture: its name and its value."""
    if isinstance(row, dict) and len(row) == 2:
        first, second = row.values()
        return _text(first), _text(second)
    return "", str(row)


def _text(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)
