"""The degradation BD against its formula, written out."""

import numpy as np
import pytest

from mmsuper.data.degrade import blur_down


def plainly(x, i, j):
    """y[i, j] = round(sum over a, b = -5..6 of g(a - 1/2) g(b - 1/2) x[4i + 1 + a, 4j + 1 + b])."""
    height, width = x.shape[:2]
    total = weights = 0.0
    for a in range(-5, 7):
        for b in range(-5, 7):
            weight = np.exp(-((a - 0.5) ** 2 + (b - 0.5) ** 2) / (2 * 1.6**2))
            row = min(max(4 * i + 1 + a, 0), height - 1)
            column = min(max(4 * j + 1 + b, 0), width - 1)
            total = total + weight * x[row, column].astype(float)
            weights += weight
    return np.round(total / weights)


@pytest.mark.parametrize("size", [(16, 24), (18, 27)])
def test_blur_down_is_the_formula(size):
    x = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    y = blur_down(x)
    assert y.dtype == np.uint8 and y.shape == (4, 6, 3)
    expected = [[plainly(x, i, j) for j in range(6)] for i in range(4)]
    np.testing.assert_array_equal(y, expected)


def test_blur_down_is_centred():
    """A ramp is its own blur, so each value is that of a block's middle."""
    ramp = np.broadcast_to(np.arange(0, 240, 2, dtype=np.uint8)[:, None, None], (120, 8, 3))
    middles = np.arange(30) * 8 + 3
    np.testing.assert_array_equal(blur_down(ramp)[2:-2, 0, 0], middles[2:-2])
