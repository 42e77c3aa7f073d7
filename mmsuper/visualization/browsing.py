"""From a config to the contact sheet of its data set."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsuper import configuration
from mmsuper.compat import hosts
from mmsuper.data import samples
from mmsuper.errors import UserError
from mmsuper.visualization.samples import contact_sheet, draw_sample

if TYPE_CHECKING:
    from mmengine.config import Config

# How the names begin of transforms that only read files and pack the result.
READING = ("Collect", "Generate", "Load", "Pack")


def browse(
    path: str,
    options: dict[str, Any],
    out: str | Path,
    split: str = "train",
    number: int = 16,
    whole_pipeline: bool = True,
    seed: int = 0,
) -> tuple[int, int]:
    """Draw samples of a config's data set, evenly spread over it.

    Args:
        path: Config file, of a model or only of a data set.
        options: ``--cfg-options``.
        out: Picture to write.
        split: ``train``, ``val`` or ``test``.
        number: How many samples to draw at most.
        whole_pipeline: Whether to augment, or only to read.
        seed: Of the augmentations.

    Returns:
        How many samples were drawn, and how many there are.

    Raises:
        UserError: If the config has no such data set, or a sample cannot be read.
    """
    from mmengine.registry import DATASETS, DefaultScope, init_default_scope

    config = _load(path, options, split)
    samples.ensure(config, [f"{split}_dataloader"])
    content = _dataset(config, split)
    rgb = any(t.get("channel_order") == "rgb" for p in _pipelines(content) for t in p)
    if not whole_pipeline:
        for pipeline in _pipelines(content):
            pipeline[:] = [t for t in pipeline if _bare_name(t).startswith(READING)]
    _seed(seed)
    if DefaultScope.get_current_instance() is None:
        init_default_scope(config.default_scope)
    with DefaultScope.overwrite_default_scope(config.default_scope):
        dataset = DATASETS.build(content)
        count = min(number, len(dataset))
        if not count:
            raise UserError(f"the {split} data set of {path} is empty")
        picked = [i * len(dataset) // count for i in range(count)]
        drawn = [
            draw_sample(_read(dataset, i), dict(getattr(dataset, "metainfo", {})), rgb)
            for i in picked
        ]
    stage = "augmented" if whole_pipeline else "loaded"
    contact_sheet(drawn, out, f"{path}: {count} of {len(dataset)} samples, {split}, {stage}")
    return count, len(dataset)


def _load(path: str, options: dict[str, Any], split: str) -> Config:
    """The config; one without a default scope gets that of its data set's library."""
    config = configuration.read(path, options)
    if "default_scope" not in config:
        names = [name for _, name in hosts.named_types(_dataset(config, split), None)]
        options = {**options, "default_scope": hosts.library_of(names) or "mmsuper"}
    return configuration.load(path, options)


def _dataset(config: Config, split: str) -> dict[str, Any]:
    loader = config.to_dict().get(f"{split}_dataloader")
    if isinstance(loader, list):  # mmagic tests on several data sets
        loader = loader[0]
    if not loader:
        raise UserError(f"{config.filename} has no {split}_dataloader")
    return loader["dataset"]


def _pipelines(node: Any) -> Iterator[list[dict[str, Any]]]:
    """The pipelines of a data set and of those that it wraps."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "pipeline" and isinstance(value, list):
                yield value
            else:
                yield from _pipelines(value)
    elif isinstance(node, list):
        for value in node:
            yield from _pipelines(value)


def _bare_name(content: dict[str, Any]) -> str:
    return str(content.get("type", "")).rpartition(".")[2]


def _read(dataset: Any, index: int) -> Any:
    try:
        return dataset[index]
    except Exception as error:
        # Whatever a transform raises, the user wants to know at which file.
        where = f"sample {index}"
        if hasattr(dataset, "get_data_info"):
            info = dataset.get_data_info(index)
            where = str(info.get("img_path") or info.get("gt_path") or where)
        raise UserError(f"cannot read {where}: {type(error).__name__}: {error}") from error


def _seed(seed: int) -> None:
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
