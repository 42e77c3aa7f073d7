"""Curves of finished or running trainings, from the scalars that MMEngine logs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from mmsuper.errors import UserError
from mmsuper.visualization.figures import new_figure, save_figure

# Logged with every line and of little interest as a curve unless asked for.
HOUSEKEEPING = {"data_time", "epoch", "iter", "memory", "step", "time"}

Curves = dict[str, dict[int, float]]


def read(work_dir: str | Path) -> Curves:
    """``{key: {step: value}}`` of a work directory.

    A resumed run leaves one log a start; where two logs have the same step, the later
    start counts, as its weights do.

    Raises:
        UserError: If the folder holds no logs.
    """
    files = sorted(Path(work_dir).glob("*/vis_data/scalars.json"))
    if not files:
        raise UserError(f"{work_dir} holds no logs (*/vis_data/scalars.json) of a training")
    curves: Curves = {}
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            record = _parse(line)
            step = record.get("step")
            for key, value in record.items():
                if isinstance(step, int) and isinstance(value, int | float):
                    curves.setdefault(key, {})[step] = float(value)
    return {key: dict(sorted(points.items())) for key, points in curves.items()}


def choose_keys(runs: Sequence[Curves], asked: Sequence[str]) -> list[str]:
    """The keys to draw: those asked for, or all that say how well a run does.

    Raises:
        UserError: If a key that was asked for is in no run.
    """
    there = {key for run in runs for key in run}
    for key in asked:
        if key not in there:
            raise UserError(f"no run logged {key!r}; there are {', '.join(sorted(there))}")
    return list(asked) or sorted(there - HOUSEKEEPING)


def draw(runs: dict[str, Curves], keys: Sequence[str], path: str | Path) -> None:
    """Draw one panel a key, with every run that logged it, and save it as a picture.

    Args:
        runs: Curves by the name that the legend shows.
        keys: The keys to draw.
        path: File to write; its suffix decides the format.
    """
    columns = min(2, len(keys))
    rows = -(-len(keys) // columns)
    figure = new_figure(6 * columns, 3.2 * rows)
    for i, key in enumerate(keys):
        axes = figure.add_subplot(rows, columns, i + 1)
        for name, curves in runs.items():
            points = curves.get(key, {})
            axes.plot(
                list(points),
                list(points.values()),
                label=name,
                marker="." if len(points) < 30 else "",
            )
        axes.set_title(key)
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
        if len(runs) > 1:
            axes.legend()
    save_figure(figure, path)


def _parse(line: str) -> dict:
    try:
        record = json.loads(line)
    except json.JSONDecodeError:  # the last line of a run that was killed
        return {}
    return record if isinstance(record, dict) else {}
