"""PSNR and SSIM as super-resolution papers define them.

Pictures are arrays (H, W, C) in RGB order or (H, W), with values in [0, 255]. Results
depend on three conventions that papers seldom state, so all are arguments or named here:
how many border pixels are left out, whether the luma channel or all channels count, and
that predictions are rounded to 8 bit before comparing (the caller's business: these
functions compare what they are given).
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

_LUMA = np.array([65.481, 128.553, 24.966])
_SSIM_SIGMA = 1.5
_SSIM_RADIUS = 5


def psnr(a: np.ndarray, b: np.ndarray, crop_border: int = 0, y_channel: bool = False) -> float:
    """Peak signal-to-noise ratio with peak 255, in dB; infinite for equal pictures.

    Args:
        a: One picture, (H, W, C) in RGB or (H, W), values in [0, 255].
        b: The other picture, of the same shape.
        crop_border: How many pixels at each border do not count.
        y_channel: Compare luma only.

    Raises:
        ValueError: If the shapes differ or nothing is left inside the border.
    """
    a, b = _prepare(a, b, crop_border, y_channel)
    error = np.mean((a - b) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def ssim(a: np.ndarray, b: np.ndarray, crop_border: int = 0, y_channel: bool = False) -> float:
    """Structural similarity, at most 1, averaged over positions and channels.

    Gaussian window of 11x11 pixels with sigma 1.5, K = (0.01, 0.03), population moments,
    and only the positions where the whole window lies inside the picture.

    Args:
        a: One picture, (H, W, C) in RGB or (H, W), values in [0, 255].
        b: The other picture, of the same shape.
        crop_border: How many pixels at each border do not count.
        y_channel: Compare luma only.

    Raises:
        ValueError: If the shapes differ or less than 11x11 pixels are left.
    """
    a, b = _prepare(a, b, crop_border, y_channel)
    if min(a.shape[:2]) <= 2 * _SSIM_RADIUS:
        raise ValueError(
            f"SSIM needs 11x11 pixels inside the border, and {a.shape[0]}x{a.shape[1]} are left"
        )
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_a, mean_b = _window_mean(a), _window_mean(b)
    variance_a = _window_mean(a * a) - mean_a**2
    variance_b = _window_mean(b * b) - mean_b**2
    covariance = _window_mean(a * b) - mean_a * mean_b
    similarity = ((2 * mean_a * mean_b + c1) * (2 * covariance + c2)) / (
        (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)
    )
    return float(similarity.mean())


def niqe(image: np.ndarray, crop_border: int = 0) -> float:
    """Natural Image Quality Evaluator on luma: no reference, lower is better.

    This is mmagic's implementation, by its own account almost equal to the authors' MATLAB
    code.

    Args:
        image: (H, W, 3) in RGB, values in [0, 255].
        crop_border: How many pixels at each border do not count.

    Raises:
        ValueError: If there are less than two blocks of 96x96 pixels inside the border,
            of which the measure takes statistics.
    """
    from mmsuper.compat import mmagic

    mmagic.apply()
    from mmagic.evaluation.metrics.niqe import niqe as mmagic_niqe

    rows, columns = (length - 2 * crop_border for length in image.shape[:2])
    if (rows // 96) * (columns // 96) < 2:
        raise ValueError(f"NIQE needs two blocks of 96x96 pixels, and {rows}x{columns} are left")
    return float(mmagic_niqe(image[..., ::-1], crop_border, input_order="HWC", convert_to="y"))


def to_y(image: np.ndarray) -> np.ndarray:
    """Luma of ITU-R BT.601 in [16, 235], unrounded, as float64 of shape (H, W, 1).

    A picture of one channel is its own luma and returned as it is.

    Raises:
        ValueError: If the picture has neither one nor three channels.
    """
    if image.shape[2] == 1:
        return image
    if image.shape[2] != 3:
        raise ValueError(f"luma is defined for 1 or 3 channels, not {image.shape[2]}")
    # In one layout: the last bit of a product may depend on it, as some processors compute it.
    return 16 + (np.ascontiguousarray(image, np.float64) @ _LUMA)[..., None] / 255


def _prepare(
    a: np.ndarray, b: np.ndarray, crop_border: int, y_channel: bool
) -> tuple[np.ndarray, np.ndarray]:
    if a.shape != b.shape:
        raise ValueError(f"the pictures differ in size: {a.shape} and {b.shape}")
    if min(a.shape[:2]) <= 2 * crop_border:
        raise ValueError(f"a border of {crop_border} leaves nothing of {a.shape[0]}x{a.shape[1]}")
    return _inner(a, crop_border, y_channel), _inner(b, crop_border, y_channel)


def _inner(image: np.ndarray, border: int, y_channel: bool) -> np.ndarray:
    image = image[..., None] if image.ndim == 2 else image
    image = image[border : image.shape[0] - border, border : image.shape[1] - border]
    return (to_y(image) if y_channel else image).astype(np.float64)


def _window_mean(image: np.ndarray) -> np.ndarray:
    mean = gaussian_filter(image, sigma=_SSIM_SIGMA, radius=_SSIM_RADIUS, axes=(0, 1))
    return mean[_SSIM_RADIUS:-_SSIM_RADIUS, _SSIM_RADIUS:-_SSIM_RADIUS]
