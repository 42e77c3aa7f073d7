"""The degradation that video papers call BD: Gaussian blur, then every fourth pixel."""

from __future__ import annotations

import numpy as np

from mmsuper.data.resize import to_uint8

_SCALE = 4
_SIGMA = 1.6
# The kernel is even, 12 long, so that it lies centred on each block of 4 pixels.
_TAPS = np.arange(-5, 7)


def blur_down(image: np.ndarray) -> np.ndarray:
    """Reduce a picture four times, as Vimeo-90K, Vid4 and UDM10 are for TTVSR ("BD").

    A Gaussian of sigma 1.6, 12x12 taps, around the middle of each block of 4x4 pixels;
    beyond the border is the nearest pixel. The authors do this in MATLAB.

    Args:
        image: (H, W, C) uint8.

    Returns:
        (H // 4, W // 4, C) uint8.
    """
    result = image.astype(np.float64)
    for _ in range(2):  # rows, then columns; each time the axes change places
        result = _along_rows(result).swapaxes(0, 1)
    return to_uint8(result)


def _along_rows(image: np.ndarray) -> np.ndarray:
    weights = np.exp(-((_TAPS - 0.5) ** 2) / (2 * _SIGMA**2))
    centres = _SCALE * np.arange(len(image) // _SCALE) + 1
    rows = (centres[:, None] + _TAPS).clip(0, len(image) - 1)
    return np.einsum("k,ik...->i...", weights / weights.sum(), image[rows])
