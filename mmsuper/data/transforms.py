"""Pipeline transforms of our own, for what the host libraries lack.

A transform is a callable on the dictionary of one sample, as MMEngine's ``Compose`` wants.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmsuper.data.resize import crop_to_multiple, imresize
from mmsuper.errors import UserError
from mmsuper.registry import TRANSFORMS


@TRANSFORMS.register_module()
class MatlabDownsample:
    """Make the low-resolution input from the high-resolution picture while loading.

    For data sets that have no stored low-resolution pictures. ``gt`` is cropped at the
    right and the bottom to a multiple of the scale, and ``img`` becomes its MATLAB-bicubic
    reduction, rounded to 8 bit as stored pictures are.

    Args:
        scale: How many times smaller the input is, an integer.
    """

    def __init__(self, scale: int) -> None:
        self.scale = scale

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Set ``img`` from ``gt`` (H, W, C), and the meta data that a loader would set."""
        results["gt"] = crop_to_multiple(results["gt"], self.scale)
        results["img"] = imresize(results["gt"], 1 / self.scale)
        results["scale"] = self.scale
        for name in ("channel_order", "color_type"):
            if f"gt_{name}" in results:
                results[f"img_{name}"] = results[f"gt_{name}"]
        results["ori_img_shape"] = results["img"].shape
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(scale={self.scale})"


@TRANSFORMS.register_module()
class PairedCrop:
    """Crop ``img`` and ``gt`` at the same random place; all frames of a clip alike.

    The scale between the two follows from their sizes, so one pipeline serves x2, x3 and x4.

    Args:
        size: Side of the crop in pixels of the low-resolution ``img``.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Crop ``img`` (H, W, C) to (size, size, C) and ``gt`` (sH, sW, C) to match.

        Raises:
            UserError: If ``gt`` is not a whole number of times as large as ``img``, or
                ``img`` is smaller than the crop.
        """
        height, width, scale = self._check(results)
        top = np.random.randint(height - self.size + 1)
        left = np.random.randint(width - self.size + 1)
        for key, factor in (("img", 1), ("gt", scale)):
            window = (top * factor, left * factor, self.size * factor)
            images = results[key]
            if isinstance(images, list):
                results[key] = [_square(image, *window) for image in images]
            else:
                results[key] = _square(images, *window)
        results["scale"] = scale
        return results

    def _check(self, results: dict[str, Any]) -> tuple[int, int, int]:
        """Height and width of ``img`` and the scale, if they fit."""
        low, high = (_first(results[key]) for key in ("img", "gt"))
        height, width = low.shape[:2]
        scale = high.shape[0] // height
        if high.shape[:2] != (scale * height, scale * width):
            raise UserError(
                f"{_first(results.get('gt_path'))} of {high.shape[1]}x{high.shape[0]} pixels is "
                f"no multiple of {_first(results.get('img_path'))} of {width}x{height}"
            )
        if min(height, width) < self.size:
            raise UserError(
                f"{_first(results.get('img_path'))} of {width}x{height} pixels is smaller than "
                f"the training crop of {self.size}x{self.size}; remove it or lower the crop size"
            )
        return height, width, scale

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size})"


def _first(value: Any) -> Any:
    """The first frame of a clip, or the one picture."""
    return value[0] if isinstance(value, list) else value


def _square(image: np.ndarray, top: int, left: int, size: int) -> np.ndarray:
    # A copy, because flips that follow work in place.
    return image[top : top + size, left : left + size].copy()
