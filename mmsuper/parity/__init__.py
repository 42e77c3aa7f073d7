"""Comparison with outputs that were recorded from the authors' code.

A case is a folder with ``case.json`` (network arguments, input, names of outputs,
tolerance), ``layout.json`` (names and shapes of the authors' checkpoint) and
``expected.npz``. The weights are not stored: :mod:`mmsuper.parity.fill` makes them from
names and shapes. A project's module ``parity`` has one function,
``outputs(case) -> {name: array}``, which computes what a case asks for.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

import mmsuper.projects
from mmsuper.errors import UserError
from mmsuper.parity import fill


@dataclass(frozen=True)
class Case:
    """One recorded case.

    Attributes:
        folder: Where it lies.
        paper: Name of the project it belongs to.
    """

    folder: Path
    paper: str

    @cached_property
    def spec(self) -> dict[str, Any]:
        """Content of ``case.json``."""
        return json.loads((self.folder / "case.json").read_text())

    @cached_property
    def expected(self) -> dict[str, np.ndarray]:
        """The recorded outputs by name."""
        with np.load(self.folder / "expected.npz") as arrays:
            return {name: arrays[name] for name in arrays.files}

    def weights(self) -> dict[str, torch.Tensor]:
        """The authors' checkpoint that the case stands for."""
        layout = fill.load_layout(self.folder / "layout.json")
        arrays = fill.fill_state_dict(layout, self.spec["gain"])
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def tolerance(self, output: str) -> float:
        """Largest absolute error allowed, of one output; none where a case states none."""
        tolerance = self.spec["tolerance"]
        if isinstance(tolerance, dict):
            tolerance = tolerance.get("atol", tolerance).get(output, 0.0)
        return float(tolerance)


@dataclass(frozen=True)
class Comparison:
    """Worst absolute error of one output against what is allowed."""

    output: str
    error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the output is within its tolerance (not so if it is not a number)."""
        return self.error <= self.tolerance


def find_cases(folders: Sequence[str | Path]) -> list[Case]:
    """All cases in and below some folders, in order.

    Raises:
        UserError: If a folder does not exist or holds no case, or a case's path names no
            paper.
    """
    cases = []
    for folder in map(Path, folders):
        if not folder.is_dir():
            raise UserError(f"no folder {folder}")
        found = sorted(path.parent for path in folder.rglob("case.json"))
        if not found:
            raise UserError(f"no case.json in or below {folder}")
        cases += [Case(path, _paper(path)) for path in found]
    return cases


def run(case: Case) -> Iterator[Comparison]:
    """Compute what a case asks for and compare every recorded output.

    Yields:
        One comparison an output. A missing, misshapen or undefined one has infinite error.
        What a project masks (a :class:`numpy.ma.MaskedArray`) is not compared.
    """
    project = importlib.import_module(f"mmsuper.projects.{case.paper}.parity")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        actual = project.outputs(case)
    for name, expected in case.expected.items():
        error = _worst_error(actual.get(name), expected)
        yield Comparison(name, error, case.tolerance(name))


def _worst_error(actual: Any, expected: np.ndarray) -> float:
    if actual is None:
        return float("inf")
    actual = np.ma.asarray(actual)
    if actual.shape != expected.shape:
        return float("inf")
    error = np.abs(actual.astype(np.float64) - expected.astype(np.float64)).compressed()
    if not error.size:
        return 0.0
    worst = error.max()
    return float(worst) if np.isfinite(worst) else float("inf")


def _paper(path: Path) -> str:
    """The first part of the path that names a project."""
    papers = {module.name for module in pkgutil.iter_modules(mmsuper.projects.__path__)}
    for parts in (path.parts, path.resolve().parts):
        for part in parts:
            if part in papers:
                return part
    raise UserError(f"{path} names none of the papers: {', '.join(sorted(papers))}")
