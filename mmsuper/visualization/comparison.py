"""Pictures side by side with their titles, and how near each is to the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mmsuper.errors import UserError
from mmsuper.evaluation.functional import psnr, ssim


class Score(NamedTuple):
    """How near a picture is to the truth: PSNR in dB and SSIM, of luma."""

    psnr: float
    ssim: float

    def __str__(self) -> str:
        return f"{self.psnr:.2f} dB / {self.ssim:.4f}"


def score(image: np.ndarray, truth: np.ndarray, scale: int) -> Score:
    """Compare luma, without ``scale`` pixels at each border.

    Args:
        image: (H, W, 3) uint8.
        truth: The same or larger; what it has more at the right and the bottom is left out,
            as when a low-resolution picture is made of one whose size is no multiple.
        scale: How much ``image`` was enlarged.

    Raises:
        UserError: If the truth is smaller, or larger by ``scale`` pixels or more, or the
            pictures are too small to be compared.
    """
    height, width = image.shape[:2]
    excess = (truth.shape[0] - height, truth.shape[1] - width)
    if min(excess) < 0 or max(excess) >= scale:
        raise UserError(
            f"the true picture has {truth.shape[1]}x{truth.shape[0]} pixels where the result "
            f"has {width}x{height}"
        )
    truth = truth[:height, :width]
    try:
        return Score(*(metric(image, truth, scale, y_channel=True) for metric in (psnr, ssim)))
    except ValueError as error:
        raise UserError(f"cannot be compared with the true picture: {error}") from error


def side_by_side(panels: Sequence[tuple[str, np.ndarray]]) -> np.ndarray:
    """One picture of several, left to right, each below its title.

    Args:
        panels: Titles and pictures (H, W, 3) uint8, all of one size.

    Returns:
        (H + title, sum of widths + gaps, 3) uint8, on white.
    """
    from PIL import Image, ImageDraw, ImageFont

    height, width = panels[0][1].shape[:2]
    letter = min(max(width // 24, 10), 48)
    strip, gap = 2 * letter, max(letter // 2, 4)
    page = Image.new("RGB", ((width + gap) * len(panels) - gap, height + strip), "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=letter)
    for index, (title, pixels) in enumerate(panels):
        left = index * (width + gap)
        draw.text((left + gap, strip // 2), title, "black", font, anchor="lm")
        # Over the end of a long title, which belongs to no other picture.
        draw.rectangle((left + width, 0, left + width + gap, strip), "white")
        page.paste(Image.fromarray(pixels), (left, strip))
    return np.asarray(page)
