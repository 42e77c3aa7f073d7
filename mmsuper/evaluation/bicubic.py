"""The baseline of super-resolution: enlarging by MATLAB bicubic."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from mmsuper.data.resize import imresize
from mmsuper.errors import UserError
from mmsuper.evaluation.functional import psnr, ssim


class Measured(NamedTuple):
    """What enlarging gave for one picture or clip."""

    image: str
    psnr: float
    ssim: float


def measure(folder: Path, scale: int) -> list[Measured]:
    """PSNR and SSIM of enlarging every picture, or every clip, of a folder of pairs.

    Pictures are measured on luma without 4 pixels at each border, and clips in RGB with every
    pixel, the mean over their frames: what papers of either do.

    Args:
        folder: Has ``HR`` and ``LRxN`` with the same file names; of clips in folders.
        scale: The N.

    Returns:
        Name, PSNR in dB and SSIM of each, sorted by name.

    Raises:
        UserError: If a folder or a picture is missing, or a pair's sizes do not match.
    """
    low_folder = folder / f"LRx{scale}"
    clips = sorted(path for path in low_folder.glob("*") if path.is_dir())
    results = [_of_clip(folder / "HR" / clip.name, clip, scale) for clip in clips]
    for path in sorted(low_folder.glob("*.png")):
        pair = _pair(folder / "HR" / path.name, path, scale)
        measured = (f(*pair, crop_border=4, y_channel=True) for f in (psnr, ssim))
        results.append(Measured(path.stem, *measured))
    if not results:
        raise UserError(f"no PNG pictures in {low_folder}; `python -m mmsuper data sr` makes some")
    return results


def _of_clip(high: Path, low: Path, scale: int) -> Measured:
    pairs = [_pair(high / path.name, path, scale) for path in sorted(low.glob("*.png"))]
    if not pairs:
        raise UserError(f"no PNG pictures in {low}")
    means = (sum(f(*pair) for pair in pairs) / len(pairs) for f in (psnr, ssim))
    return Measured(low.name, *means)


def _pair(high: Path, low: Path, scale: int) -> tuple[np.ndarray, np.ndarray]:
    """The enlarged picture and the true one."""
    truth, enlarged = _read(high), imresize(_read(low), scale)
    if truth.shape != enlarged.shape:
        raise UserError(f"{low} is not {scale} times smaller than {high}")
    return enlarged, truth


def _read(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.array(image.convert("RGB"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error}") from error
