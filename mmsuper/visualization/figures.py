"""Matplotlib without a screen: figures made and saved the same way everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mmsuper.errors import UserError
from mmsuper.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(width: float, height: float) -> Figure:
    """An empty figure.

    Args:
        width: Inches.
        height: Inches.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: str | Path, dpi: int = 110) -> None:
    """Save a figure, complete or not at all; its file's suffix decides the format.

    Raises:
        UserError: If the folder cannot be written or the format is unknown.
    """
    path = Path(path)
    suffix = path.suffix.lstrip(".").lower()
    if suffix not in figure.canvas.get_supported_filetypes():
        raise UserError(f"cannot draw into {path}: no picture format is called {suffix!r}")
    try:
        with replacing(path) as draft:
            figure.savefig(draft, dpi=dpi, format=suffix)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
