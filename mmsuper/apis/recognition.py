"""Classify, detect and segment in pictures, with any config of mmpretrain, mmdet or mmseg.

A picture goes through the config's test pipeline, but for its loading steps, so that files
of every mode are read as everywhere here, and then through the model's ``test_step``: what
``test`` measures is what comes out.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from mmsuper.apis.devices import is_out_of_memory, pick_device
from mmsuper.data import image_io
from mmsuper.errors import UserError

if TYPE_CHECKING:
    from mmengine.config import Config

# COCO numbers its 80 classes from 1 to 90 and leaves these out.
_NOT_IN_COCO = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}


class RecognitionInferencer:
    """A classifier, detector or segmentor with its weights, ready to be called on pictures.

    Example::

        recognize = RecognitionInferencer("svit-small_in1k-224", weights="stvit-small-224.pth")
        (result,) = recognize(["photo.jpg"])
        print(recognize.names[result["scores"].argmax()])

    Args:
        model: Name of a model or of a paper (``python -m mmsuper list``), or path of a config.
        weights: Checkpoint, ours or the authors'; the one that ships with the model if None.
        device: ``auto`` (CUDA, else MPS, else CPU), or a device of PyTorch.
        fold: Whether to fold constant factors and norms into the weights beside them, where
            the project of the network offers it.

    Attributes:
        task: ``classification``, ``detection`` or ``segmentation``.
        model: The host library's model.
        names: Names of the classes.
        colours: (classes, 3) uint8, a colour of each class.
        category_ids: The number of each class in files: that of its data set.

    Raises:
        UserError: If the model, its weights or the device are no valid choice.
    """

    def __init__(
        self,
        model: str | Path,
        weights: str | Path | None = None,
        device: str = "auto",
        fold: bool = False,
    ) -> None:
        from mmengine.dataset import Compose
        from mmengine.registry import DefaultScope

        from mmsuper import checkpoint, configuration
        from mmsuper.analysis import network
        from mmsuper.apis.models import locate, task_of

        path, weights = locate(model, weights)
        config = configuration.load(path)
        self.task = task_of(config)
        if self.task == "super-resolution":
            raise UserError(f"{model} is for super-resolution, not for recognition")
        self.device = pick_device(device)
        self.model: Any = network.build(config)
        content = checkpoint.load_weights(self.model, weights)
        if fold:
            self.model = self.project_module("deploy", "--fold").fold(self.model)
        self.model.to(self.device)
        dataset = config.test_dataloader.dataset
        self._scope = config.default_scope
        with DefaultScope.overwrite_default_scope(self._scope):
            self._pipeline = Compose(
                [step for step in dataset.pipeline if not _kind(step).startswith("Load")]
            )
        metainfo = _metainfo(config, content)
        count = _class_count(config.model)
        self.names = list(metainfo.get("classes") or [])
        if len(self.names) != count:
            self.names = [str(label) for label in range(count)]
        palette = metainfo.get("palette") or []
        self.colours = (
            np.array(palette, np.uint8) if len(palette) == count else distinct_colours(count)
        )
        self.category_ids = _category_ids(self.task, self.names, dataset)

    def __call__(self, images: Sequence[str | Path | np.ndarray]) -> list[dict[str, np.ndarray]]:
        """Work on several pictures; those that the pipeline brings to one size, together.

        Nothing is padded to the size of its neighbours, so results do not depend on them.

        Args:
            images: Files, or arrays (H, W) or (H, W, C) as
                :func:`~mmsuper.data.image_io.from_array` takes them.

        Returns:
            For each picture a dict of arrays: in classification ``scores`` (classes,); in
            detection, best first, ``boxes`` (n, 4) as left, top, right, bottom in pixels,
            ``scores`` (n,), ``labels`` (n,) and of a network that finds them ``masks``
            (n, H, W); in segmentation ``labels`` (H, W). Labels count from 0.

        Raises:
            UserError: If a file cannot be read or memory does not suffice.
        """
        packed = [self.pack(_pixels(image)) for image in images]
        results: dict[int, dict[str, np.ndarray]] = {}
        for indices in _of_one_size(packed):
            batch = self.collate([packed[index] for index in indices])
            with self._running(batch):
                found = self.model.test_step(batch)
            results.update(zip(indices, map(self._unpack, found), strict=True))
        return [results[index] for index in range(len(packed))]

    def pack(self, pixels: np.ndarray) -> dict[str, Any]:
        """What the test pipeline makes of a picture (H, W, 3), RGB uint8.

        Returns:
            ``inputs``, the network's input (3, H', W') in BGR before normalization, and
            ``data_samples``, which knows how it came about.
        """
        from mmengine.registry import DefaultScope

        size = pixels.shape[:2]
        data = {
            "img": np.ascontiguousarray(pixels[..., ::-1]),
            "img_path": "",
            "img_id": 0,
            "ori_shape": size,
            "img_shape": size,
            "scale_factor": (1.0, 1.0),
        }
        with DefaultScope.overwrite_default_scope(self._scope):
            return self._pipeline(data)

    def collate(self, packed: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """What the model's ``test_step`` takes, of what :meth:`pack` gives."""
        return {key: [one[key] for one in packed] for key in ("inputs", "data_samples")}

    def super_tokens(
        self, image: str | Path | np.ndarray, token: tuple[int, int] | None = None
    ) -> dict[str, np.ndarray]:
        """Draw what a network with super tokens does with a picture.

        Args:
            image: See :meth:`__call__`.
            token: Row and column of a pixel of the picture, whose token's association and
                attention are drawn; by default in the middle.

        Returns:
            ``{name of a stage: sheet (H, W, 3) uint8, RGB}``.

        Raises:
            UserError: If the network has no super tokens, or the pixel is not in the picture.
        """
        pixels = _pixels(image)
        height, width = pixels.shape[:2]
        row, column = token or (height // 2, width // 2)
        if not (0 <= row < height and 0 <= column < width):
            raise UserError(
                f"token {row},{column} is not in a picture of {height} rows and {width} columns"
            )
        pictures = self.project_module("pictures", "--show-super-tokens")
        packed = self.pack(pixels)
        batch = self.collate([packed])
        with self._running(batch):
            return pictures.super_token_sheets(
                self.model, batch, _input_position(packed, row, column)
            )

    @contextlib.contextmanager
    def _running(self, batch: dict[str, Any]) -> Iterator[None]:
        """How the model is run; says so if memory does not suffice."""
        from mmengine.registry import DefaultScope

        try:
            with torch.inference_mode(), DefaultScope.overwrite_default_scope(self._scope):
                yield
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            size = "x".join(str(side) for side in reversed(batch["inputs"][0].shape[1:]))
            raise UserError(
                f"memory does not suffice for {len(batch['inputs'])} pictures of {size} on "
                f"{self.device}; choose a smaller --batch-size"
            ) from error

    def _unpack(self, sample: Any) -> dict[str, np.ndarray]:
        if self.task == "classification":
            return {"scores": _array(sample.pred_score)}
        if self.task == "segmentation":
            return {"labels": _array(sample.pred_sem_seg.data[0])}
        found = sample.pred_instances
        order = np.argsort(-_array(found.scores), kind="stable")
        names = {"bboxes": "boxes", "scores": "scores", "labels": "labels", "masks": "masks"}
        return {ours: _array(found[key])[order] for key, ours in names.items() if key in found}

    def project_module(self, name: str, flag: str) -> Any:
        """A module of the project of the model's network.

        Args:
            name: Of the module, such as ``deploy``.
            flag: What it is for, for the error.

        Raises:
            UserError: If the project has none.
        """
        from mmsuper import checkpoint

        for network, _ in checkpoint.project_networks(self.model):
            module = f"{type(network).__module__.rpartition('.')[0]}.{name}"
            if importlib.util.find_spec(module):
                return importlib.import_module(module)
        raise UserError(f"the network of this model offers nothing for {flag}")


def distinct_colours(count: int) -> np.ndarray:
    """Colours (count, 3), uint8, of which neighbours differ much and none is dark or pale."""
    from matplotlib.colors import hsv_to_rgb

    index = np.arange(count)
    # Steps of the golden ratio spread any number of hues evenly.
    hue = (0.61803398875 * index + 0.02) % 1
    saturation = np.array([0.85, 0.6, 1.0])[index % 3]
    value = np.array([0.95, 0.75])[index // 3 % 2]
    return (255 * hsv_to_rgb(np.stack([hue, saturation, value], axis=1))).astype(np.uint8)


def _input_position(packed: dict[str, Any], row: int, column: int) -> tuple[int, int]:
    """Where a pixel of the picture lies in the network's input, or the nearest that does.

    Test pipelines resize, and crop in the middle if at all.
    """
    sample = packed["data_samples"]
    found = []
    for position, before, scale, after in zip(
        (row, column),
        sample.ori_shape,
        reversed(sample.scale_factor),
        packed["inputs"].shape[1:],
        strict=True,
    ):
        cropped = max(round(before * scale) - after, 0) // 2
        found.append(min(max(int((position + 0.5) * scale) - cropped, 0), after - 1))
    return found[0], found[1]


def _pixels(image: str | Path | np.ndarray) -> np.ndarray:
    picture = image_io.from_array(image) if isinstance(image, np.ndarray) else image_io.read(image)
    return image_io.displayed(picture)


def _of_one_size(packed: Sequence[dict[str, Any]]) -> Iterator[list[int]]:
    """Indices of inputs of each size."""

    def size(index: int) -> tuple[int, ...]:
        return tuple(packed[index]["inputs"].shape)

    for _, indices in groupby(sorted(range(len(packed)), key=size), key=size):
        yield list(indices)


def _array(values: torch.Tensor) -> np.ndarray:
    return values.cpu().numpy()


def _kind(step: dict[str, Any]) -> str:
    """A class's name in a config, without its library."""
    return str(step["type"]).rpartition(".")[2]


def _metainfo(config: Config, content: dict[str, Any]) -> dict[str, Any]:
    """Class names and colours: as the model was trained, as the config or its data set say."""
    from mmengine.registry import DATASETS

    meta = content.get("meta")
    trained = meta.get("dataset_meta") if isinstance(meta, dict) else None
    if trained and trained.get("classes"):
        return trained
    dataset = config.test_dataloader.dataset
    name = dataset.type if "." in dataset.type else f"{config.default_scope}.{dataset.type}"
    cls = DATASETS.get(name)
    return {**getattr(cls, "METAINFO", {}), **dataset.get("metainfo", {})}


def _class_count(model: dict[str, Any]) -> int:
    """The first ``num_classes`` of the model's heads."""
    heads = [model[key] for key in ("head", "roi_head", "bbox_head", "decode_head") if key in model]
    found = next(_values(heads, "num_classes"), None)
    if found is None:
        raise UserError("the config does not say num_classes of the model's head")
    return found


def _values(node: Any, name: str) -> Iterator[Any]:
    if isinstance(node, dict):
        if name in node:
            yield node[name]
        node = list(node.values())
    if isinstance(node, list | tuple):
        for value in node:
            yield from _values(value, name)


def _category_ids(task: str, names: list[str], dataset: dict[str, Any]) -> list[int]:
    """Numbers of the classes in the data set's own files."""
    count = len(names)
    if task == "classification":
        return list(range(count))
    if task == "segmentation":
        # Where 0 is the unlabelled, classes count from 1.
        reduced = next(_values([dataset], "reduce_zero_label"), False)
        return [label + bool(reduced) for label in range(count)]
    from mmdet.datasets import CocoDataset

    if tuple(names) == CocoDataset.METAINFO["classes"]:
        return sorted(set(range(1, 91)) - _NOT_IN_COCO)
    return list(range(1, count + 1))
