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
    """What enlarging gave for one picture."""

    image: str
    psnr: float
    ssim: float


def measure(folder: Path, scale: int, crop_border: int = 4) -> list[Measured]:
    """PSNR and SSIM on luma of enlarging every picture of a folder of pairs.

    Args:
        folder: Has ``HR`` and ``LRxN`` with the same file names.
        scale: The N.
        crop_border: How many pixels at each border do not count.

    Returns:
        Name, PSNR in dB and SSIM of each picture, sorted by name.

    Raises:
        UserError: If a folder or a picture is missing, or a pair's sizes do not match.
    """
    results = []
    low_folder = folder / f"LRx{scale}"
    for path in sorted(low_folder.glob("*.png")):
        high, enlarged = _read(folder / "HR" / path.name), imresize(_read(path), scale)
        if high.shape != enlarged.shape:
            raise UserError(f"{path} is not {scale} times smaller than {folder / 'HR' / path.name}")
        measured = (f(enlarged, high, crop_border, y_channel=True) for f in (psnr, ssim))
        results.append(Measured(path.stem, *measured))
    if not results:
        raise UserError(f"no PNG pictures in {low_folder}; `python -m mmsuper data sr` makes some")
    return results


def _read(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.array(image.convert("RGB"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error}") from error
