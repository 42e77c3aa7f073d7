"""What was recognized in many pictures, in one file of COCO's format.

``predictions.json`` is a COCO data set: ``images``, ``categories`` and ``annotations``, which
have a ``score`` besides. ``pycocotools.coco.COCO`` reads it, and its annotations are what
``loadRes`` takes. An annotation has, as its task gives them, ``bbox`` (left, top, width,
height) and ``segmentation`` (compressed run lengths).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmsuper.errors import UserError
from mmsuper.files import write_text

NAME = "predictions.json"


class Predictions:
    """The predictions of a folder, which later runs may add to.

    Args:
        folder: Where they are kept.
        info: What they depend on: the model, its weights, thresholds.
        overwrite: Begin anew, whatever is there.

    Raises:
        UserError: If the folder holds predictions of other ``info``, or damaged ones.
    """

    def __init__(self, folder: str | Path, info: Mapping[str, Any], overwrite: bool) -> None:
        self.path = Path(folder) / NAME
        self.info = dict(info)
        self.categories: list[dict[str, Any]] = []
        self._images: dict[str, dict[str, Any]] = {}
        self._annotations: list[dict[str, Any]] = []
        if self.path.is_file() and not overwrite:
            self._read()

    def __contains__(self, name: object) -> bool:
        """Whether a picture of that name is done."""
        return str(name) in self._images

    def add(
        self, name: str | Path, size: tuple[int, int], annotations: Sequence[dict[str, Any]]
    ) -> None:
        """Add what was found in a picture of (H, W); numbers are given here."""
        image = len(self._images) + 1
        self._images[str(name)] = {
            "id": image,
            "file_name": str(name),
            "height": size[0],
            "width": size[1],
        }
        for annotation in annotations:
            number = len(self._annotations) + 1
            self._annotations.append({"id": number, "image_id": image, **annotation})

    def write(self) -> None:
        """Write the file, complete or not at all."""
        content = {
            "info": self.info,
            "images": list(self._images.values()),
            "categories": self.categories,
            "annotations": self._annotations,
        }
        write_text(self.path, json.dumps(content))

    def _read(self) -> None:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            before = content["info"]
            self._images = {image["file_name"]: image for image in content["images"]}
            self.categories, self._annotations = content["categories"], content["annotations"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{self.path} cannot be added to: {error!r}; --overwrite begins anew"
            ) from error
        if before != self.info:
            other = next(
                key for key in {**before, **self.info} if before.get(key) != self.info.get(key)
            )
            raise UserError(
                f"{self.path} was made with {other} {before.get(other)!r}, not "
                f"{self.info.get(other)!r}; choose another folder or --overwrite"
            )


def to_annotations(
    result: Mapping[str, np.ndarray], names: Sequence[str], category_ids: Sequence[int]
) -> list[dict[str, Any]]:
    """COCO annotations of a result of recognition.

    Args:
        result: Of a detector or segmentor, see
            :class:`~mmsuper.apis.recognition.RecognitionInferencer`; or of a classifier
            ``labels`` and ``scores`` (n,).
        names: Names of the classes.
        category_ids: Their numbers in files.
    """
    if result["labels"].ndim == 2:  # a map: an annotation for each class that is there
        present = np.unique(result["labels"])
        result = {"labels": present, "masks": present[:, None, None] == result["labels"]}
    found: list[dict[str, Any]] = [
        {"category_id": category_ids[label], "category_name": names[label]}
        for label in result["labels"].tolist()
    ]
    for index, annotation in enumerate(found):
        if "scores" in result:
            annotation["score"] = round(float(result["scores"][index]), 6)
        if "boxes" in result:
            left, top, right, bottom = result["boxes"][index].tolist()
            box = (left, top, right - left, bottom - top)
            annotation["bbox"] = [round(value, 2) for value in box]
            annotation["area"] = round(box[2] * box[3], 2)
            annotation["iscrowd"] = 0
        if "masks" in result:
            annotation |= _run_lengths(result["masks"][index])
    return found


def _run_lengths(mask: np.ndarray) -> dict[str, Any]:
    from pycocotools import mask as coco_mask

    encoded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    area = int(coco_mask.area(encoded))
    return {
        "segmentation": {"size": encoded["size"], "counts": encoded["counts"].decode()},
        "area": area,
        "iscrowd": 0,
    }
