"""The models that mmsuper knows, read from ``model-index.yml`` and the metafiles it lists.

A metafile is OpenMMLab's: ``Collections`` (one a paper) and ``Models`` with ``Config``,
``Metadata``, ``Results`` and ``Weights``. Paths in it are relative to the payload's root;
``Weights`` is such a path for a checkpoint that ships with us and an address otherwise.
"""

from __future__ import annotations

import difflib
import fnmatch
import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from mmsuper.errors import UserError
from mmsuper.paths import payload_root


@dataclass(frozen=True)
class ModelInfo:
    """One model of a metafile.

    Attributes:
        name: Name of the model, which is the name of its config file.
        paper: Title of the paper.
        collection: Name of the metafile's collection, as the paper writes it.
        project: Name of the project, such as ``dlgsanet``.
        task: What the model does, such as ``Image Super-Resolution``.
        config: Config file.
        weights: Checkpoint that ships with us, or None.
        url: Address of a published checkpoint, or None.
        params: Number of parameters, or None.
        flops: Multiply-adds at the input size that the metafile states, or None.
        metrics: ``{data set: {metric: value}}``.
        source: Who measured the metrics: ``paper`` or ``mmsuper``.
        alias: Short name of the paper, such as ``spd``, or empty.
    """

    name: str
    paper: str
    collection: str
    project: str
    task: str
    config: Path
    weights: Path | None = None
    url: str | None = None
    params: int | None = None
    flops: int | None = None
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    source: str = "paper"
    alias: str = ""


def list_models(pattern: str = "*") -> list[ModelInfo]:
    """Models whose name, project or paper matches, in the order of the index.

    Args:
        pattern: Shell-style pattern; without a wildcard it may match anywhere in the name.

    Raises:
        UserError: If a metafile is missing or broken.
    """
    wanted = pattern.lower() if any(c in pattern for c in "*?[") else f"*{pattern.lower()}*"
    return [
        model
        for model in _read_index()
        if any(
            fnmatch.fnmatchcase(text.lower(), wanted)
            for text in (model.name, model.project, model.paper, model.alias)
        )
    ]


def find_model(name: str) -> ModelInfo:
    """The model of that name, or a project's default model.

    The default is the project's first model with a checkpoint that ships with us, or its
    first model if there is none.

    Raises:
        UserError: If there is no such model; it names the nearest ones.
    """
    models = _read_index()
    for model in models:
        if model.name.lower() == name.lower():
            return model
    family = [
        m
        for m in models
        if name.lower() in (m.project.lower(), m.collection.lower(), m.alias.lower())
    ]
    if family:
        return next((m for m in family if m.weights is not None), family[0])
    known = {m.name for m in models} | {m.project for m in models}
    near = difflib.get_close_matches(name, sorted(known), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "`python -m mmsuper list` shows all."
    raise UserError(f"no model is called {name!r}; {hint}")


def find_config(model: str | Path) -> Path:
    """The config of a model or of a paper by its name, or the path of a config as it is.

    Raises:
        UserError: If there is no such model.
    """
    return Path(model) if Path(model).suffix == ".py" else find_model(str(model)).config


def project_module(model: str | Path, name: str) -> ModuleType:
    """A module of the project that a model is of.

    Args:
        model: Name of a model or of a paper, or path of a config of ours.
        name: Of the module, such as ``server``.

    Raises:
        UserError: If there is no such model, or its project has no such module.
    """
    import mmsuper.projects

    project = find_config(model).resolve().parent.name
    if project in {module.name for module in pkgutil.iter_modules(mmsuper.projects.__path__)}:
        path = f"mmsuper.projects.{project}.{name}"
        if importlib.util.find_spec(path):
            return importlib.import_module(path)
    raise UserError(f"{model} is nothing for this command: its project has no module {name!r}")


def locate(model: str | Path, weights: str | Path | None = None) -> tuple[Path, Path]:
    """Config and checkpoint of a model.

    Args:
        model: Name of a model or of a paper, or path of a config.
        weights: Checkpoint; the one that ships with the model if None.

    Raises:
        UserError: If there is no such model, or it ships without weights and none are named.
    """
    config = Path(model)
    if config.suffix != ".py":
        info = find_model(str(model))
        config, weights = info.config, weights or info.weights
    if weights is None:
        raise UserError(f"{model} ships without weights; name a checkpoint with --weights")
    return config, Path(weights)


# Networks that take clips and not pictures.
_VIDEO_NETWORKS = {"mmsuper.TTVSR"}
# What works on texts, by the type of the model.
_TEXT_TASKS = {
    "mmsuper.DraftComparison": "text completion",
    "mmsuper.CausalLM": "language modeling",
    "mmsuper.NextToken": "language modeling",
}


def task_of(config: Mapping[str, Any]) -> str:
    """What a config is for, by the host library that its default scope names and its network.

    Returns:
        ``classification``, ``detection``, ``segmentation``, ``text completion``, ``language
        modeling``, ``video super-resolution`` or, which has several host libraries,
        ``super-resolution``.
    """
    of_text = _TEXT_TASKS.get(config.get("model", {}).get("type"))
    if of_text:
        return of_text
    tasks = {"mmpretrain": "classification", "mmdet": "detection", "mmseg": "segmentation"}
    network = config.get("model", {}).get("generator", {}).get("type")
    restoration = "video super-resolution" if network in _VIDEO_NETWORKS else "super-resolution"
    return tasks.get(config.get("default_scope", ""), restoration)


def _read_index() -> list[ModelInfo]:
    root = payload_root()
    index = _read_yaml(root / "model-index.yml")
    return [
        model for path in index.get("Import") or [] for model in _read_metafile(root, root / path)
    ]


def _read_metafile(root: Path, path: Path) -> list[ModelInfo]:
    content = _read_yaml(path)
    collections = {c["Name"]: c for c in content.get("Collections", [])}
    try:
        return [_read_model(root, path, entry, collections) for entry in content["Models"]]
    except KeyError as error:
        raise UserError(f"{path}: a model lacks {error}") from error


def _read_model(
    root: Path, path: Path, entry: dict[str, Any], collections: dict[str, Any]
) -> ModelInfo:
    collection = collections.get(entry["In Collection"])
    if collection is None:
        raise UserError(
            f"{path}: {entry['Name']} is in {entry['In Collection']!r}, no collection of that file"
        )
    metadata = {**collection.get("Metadata", {}), **entry.get("Metadata", {})}
    weights = entry.get("Weights")
    local = None if weights is None or "://" in weights else root / weights
    results = entry.get("Results", [])
    metrics: dict[str, dict[str, float]] = {}
    for result in results:
        metrics.setdefault(result["Dataset"], {}).update(result["Metrics"])
    return ModelInfo(
        name=entry["Name"],
        paper=collection.get("Paper", {}).get("Title", collection["Name"]),
        collection=collection["Name"],
        project=path.parent.name,
        task=results[0]["Task"] if results else ", ".join(collection.get("Task", [])),
        config=root / entry["Config"],
        weights=local if local is not None and local.is_file() else None,
        url=weights if weights is not None and local is None else None,
        params=metadata.get("Parameters"),
        flops=metadata.get("FLOPs"),
        metrics=metrics,
        source=str(metadata.get("Source", "paper")),
        alias=collection.get("Alias", ""),
    )


def _read_yaml(path: Path) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing; the installation is incomplete") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path} is no valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no mapping")
    return content
