"""Comparison with outputs that were recorded from the authors' code.

A case is a folder with ``case.json`` (network arguments, input, names of outputs,
tolerance), ``layout.json`` (names and shapes of the authors' checkpoint) and
``expected.npz``. The weights are not stored: :mod:`mmsuper.parity.fill` makes them from
names and shapes. A project's module ``parity`` has a function
``outputs(case) -> {name: array}``, which computes what a case asks for, and may have another,
``tolerance_key(output)``: under which of the case's tolerances an output falls, or, where it
states none that fits, a tolerance in words.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

import mmsuper.projects
from mmsuper.errors import UserError
from mmsuper.parity import fill


@dataclass(frozen=True)
class Tolerance:
    """What an error may be: ``absolute + relative * |expected value|``."""

    absolute: float = 0.0
    relative: float = 0.0

    @classmethod
    def parse(cls, stated: float | str) -> Tolerance:
        """From a number, or words such as ``"rtol 2e-4, atol 1e-5"``; others mean the same."""
        if not isinstance(stated, str):
            return cls(float(stated))
        found = dict(re.findall(r"\b([ar])tol ([\d.e-]+)", stated))
        return cls(float(found.get("a", 0)), float(found.get("r", 0)))

    def allowed(self, expected: np.ndarray) -> np.ndarray:
        """The largest error of each value."""
        return self.absolute + self.relative * np.abs(np.asarray(expected, np.float64))


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
        """The recorded outputs by name; few numbers may be in ``case.json`` itself."""
        if not (self.folder / "expected.npz").exists():
            return {name: numbers(value) for name, value in self.spec["expected"].items()}
        with np.load(self.folder / "expected.npz") as arrays:
            return {name: arrays[name] for name in arrays.files}

    def weights(self) -> dict[str, torch.Tensor]:
        """The authors' checkpoint that the case stands for."""
        layout = fill.load_layout(self.folder / "layout.json")
        gain = self.spec["gain"] if "gain" in self.spec else self.spec["weights"]["gain"]
        arrays = fill.fill_state_dict(layout, gain)
        return {name: torch.from_numpy(array) for name, array in arrays.items()}

    def project(self) -> ModuleType:
        """The module that computes the case."""
        return importlib.import_module(f"mmsuper.projects.{self.paper}.parity")

    def tolerance(self, output: str) -> Tolerance:
        """What the error of one output may be; none where a case states none."""
        stated = self.spec.get("tolerance", 0.0)
        if isinstance(stated, dict):
            key = getattr(self.project(), "tolerance_key", str)(output)
            stated = stated.get("atol", stated).get(key, key)
        return Tolerance.parse(stated)


@dataclass(frozen=True)
class Comparison:
    """The error of one output's worst value against what is allowed there."""

    output: str
    error: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether the output is within its tolerance (not so if it is not a number)."""
        return self.error <= self.tolerance


def numbers(value: Any) -> np.ndarray:
    """All numbers of a nested JSON value in order, without its structure."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return np.concatenate([np.empty(0), *map(numbers, value)])
    return np.array([value], np.float64)


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
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        actual = case.project().outputs(case)
    for name, expected in case.expected.items():
        yield _compare(name, actual.get(name), expected, case.tolerance(name))


def _compare(name: str, actual: Any, expected: np.ndarray, tolerance: Tolerance) -> Comparison:
    actual = np.ma.asarray(np.nan if actual is None else actual)
    if actual.shape != expected.shape:
        return Comparison(name, np.inf, tolerance.absolute)
    compared = ~np.ma.getmaskarray(actual)
    ours, theirs = (v[compared].astype(np.float64) for v in (actual.data, expected))
    if not ours.size:
        return Comparison(name, 0.0, tolerance.absolute)
    error = np.abs(ours - theirs)
    error[~np.isfinite(error)] = np.inf
    error[np.isnan(ours) & np.isnan(theirs)] = 0.0
    allowed = np.nan_to_num(tolerance.allowed(theirs))
    with np.errstate(over="ignore"):
        worst = np.argmax(error / np.maximum(allowed, np.finfo(np.float64).tiny))
    return Comparison(name, float(error[worst]), float(allowed[worst]))


def _paper(path: Path) -> str:
    """The first part of the path that names a project."""
    papers = {module.name for module in pkgutil.iter_modules(mmsuper.projects.__path__)}
    for parts in (path.parts, path.resolve().parts):
        for part in parts:
            if part in papers:
                return part
    raise UserError(f"{path} names none of the papers: {', '.join(sorted(papers))}")
