"""Pipeline transforms of our own, for what the host libraries lack.

A transform is a callable on the dictionary of one sample, as MMEngine's ``Compose`` wants.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmsuper.data import image_io
from mmsuper.data.resize import crop_to_multiple, imresize
from mmsuper.errors import UserError
from mmsuper.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadPictures:
    """Read the pictures of a sample as RGB, whatever their mode; frames of a clip as a list.

    Args:
        keys: What to read: ``KEY_path`` is read into ``KEY``.
        cache: Keep the pixels of every picture in memory, for data sets that fit.
        skip_damaged: Leave out a sample of which a picture is missing or damaged, with a
            warning that names it, instead of stopping. In training the data set then takes
            another sample; in evaluation nothing can take its place, so it always stops.
    """

    def __init__(
        self,
        keys: Sequence[str] = ("img", "gt"),
        cache: bool = False,
        skip_damaged: bool = False,
    ) -> None:
        self.keys = tuple(keys)
        self.cache: dict[str, np.ndarray] | None = {} if cache else None
        self.skip_damaged = skip_damaged
        self.damaged: set[str] = set()

    def __call__(self, results: dict[str, Any]) -> dict[str, Any] | None:
        """Set each key to (H, W, 3) uint8, or a list of them, and what mmagic notes of it.

        Raises:
            UserError: If a picture is missing or damaged and is not to be skipped.
        """
        try:
            for key in self.keys:
                self._load(results, key)
        except UserError as error:
            if not self.skip_damaged:
                raise
            self._warn(str(error))
            return None
        return results

    def _load(self, results: dict[str, Any], key: str) -> None:
        paths = results[f"{key}_path"]
        if isinstance(paths, list):
            results[key] = [self._read(path) for path in paths]
            results[f"ori_{key}_shape"] = [image.shape for image in results[key]]
        else:
            results[key] = self._read(paths)
            results[f"ori_{key}_shape"] = results[key].shape
        results[f"{key}_channel_order"] = "rgb"
        results[f"{key}_color_type"] = "color"

    def _read(self, path: str) -> np.ndarray:
        pixels = None if self.cache is None else self.cache.get(path)
        if pixels is None:
            pixels = image_io.displayed(image_io.read(path))
        if self.cache is not None:
            self.cache[path] = pixels
        # A copy, because later transforms may work in place.
        return pixels.copy()

    def _warn(self, message: str) -> None:
        if message not in self.damaged:
            self.damaged.add(message)
            count = len(self.damaged)
            print_log(f"skipped: {message} ({count} so far)", "current", logging.WARNING)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(keys={self.keys}, cache={self.cache is not None}, "
            f"skip_damaged={self.skip_damaged})"
        )


@TRANSFORMS.register_module()
class ListFrames:
    """List the frames of a clip, all or some at a random place, in the order of their names.

    Args:
        scale: How many times larger the frames of ``gt`` are, each way. This and the number
            of frames are looked at when a clip comes for the first time.
        middle_truth: Of ``gt``, list only the middle frame, as one picture.
    """

    def __init__(self, scale: int, middle_truth: bool = False) -> None:
        self.scale = scale
        self.middle_truth = middle_truth
        self.clips: dict[str, tuple[list[str], list[str]]] = {}

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Set ``img_path`` and ``gt_path``, so far folders of clips, to lists of files.

        Without ``num_input_frames`` all frames are listed.

        Raises:
            UserError: If the two folders have different numbers of frames, or too few, or
                their first frames' sizes do not fit.
        """
        folder = str(Path(results["img_path"], results["key"]))
        if folder not in self.clips:
            self.clips[folder] = self._list(folder, str(Path(results["gt_path"], results["key"])))
        low, high = self.clips[folder]
        count = results.get("num_input_frames") or len(low)
        if count > len(low):
            raise UserError(f"{folder} has {len(low)} frames, and {count} are to be taken")
        start = np.random.randint(len(low) - count + 1)
        results["img_path"] = low[start : start + count]
        results["gt_path"] = high[start : start + count]
        if self.middle_truth:
            results["gt_path"] = results["gt_path"][count // 2]
        return results

    def _list(self, low: str, high: str) -> tuple[list[str], list[str]]:
        files = [_frame_files(folder) for folder in (low, high)]
        counts = [len(names) for names in files]
        if counts[0] != counts[1]:
            raise UserError(f"{low} has {counts[0]} frames and {high} has {counts[1]}")
        (width, height), truth = (image_io.size(names[0]) for names in files)
        if truth != (self.scale * width, self.scale * height):
            raise UserError(
                f"frames in {high} of {truth[0]}x{truth[1]} pixels are not {self.scale} times "
                f"those in {low} of {width}x{height}; are the folders exchanged?"
            )
        return files[0], files[1]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(scale={self.scale}, middle_truth={self.middle_truth})"


def _frame_files(folder: str) -> list[str]:
    """The pictures in a folder, sorted by name."""
    if not Path(folder).is_dir():
        raise UserError(f"no folder {folder}; docs/data.md says how to lay out each data set")
    files = (path for path in Path(folder).iterdir() if path.suffix.lower() in image_io.READABLE)
    names = sorted(str(path) for path in files)
    if not names:
        raise UserError(f"no pictures in {folder}")
    return names


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


@TRANSFORMS.register_module()
class CropTruth:
    """Crop ``gt`` at the right and the bottom to a whole multiple of ``img``'s size.

    Test sets come with HR pictures of any size and LR pictures of the size rounded down; this
    is how papers compare the two.
    """

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        """Crop ``gt`` (H, W, C) to the largest multiple of ``img`` that it contains.

        Raises:
            UserError: If the pictures differ in shape by more than rounding down explains.
        """
        low, high = results["img"], results["gt"]
        height, width = low.shape[:2]
        scale = min(high.shape[0] // height, high.shape[1] // width)
        extra = (high.shape[0] - scale * height, high.shape[1] - scale * width)
        if max(extra) >= max(scale, 1):
            raise UserError(
                f"{results.get('img_path')} of {width}x{height} pixels is no reduced "
                f"{results.get('gt_path')} of {high.shape[1]}x{high.shape[0]}"
            )
        results["gt"] = high[: scale * height, : scale * width].copy()
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def _first(value: Any) -> Any:
    """The first frame of a clip, or the one picture."""
    return value[0] if isinstance(value, list) else value


def _square(image: np.ndarray, top: int, left: int, size: int) -> np.ndarray:
    # A copy, because flips that follow work in place.
    return image[top : top + size, left : left + size].copy()
