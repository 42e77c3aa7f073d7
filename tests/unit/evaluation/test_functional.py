"""PSNR and SSIM against scikit-image, against their definitions, and at the edges."""

import math

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from mmsuper.evaluation import psnr, ssim, to_y


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 256, (40, 53, 3)).astype(np.uint8)
    b = np.clip(a + rng.normal(0, 20, a.shape), 0, 255).round().astype(np.uint8)
    return a, b


def test_psnr_equals_scikit_image(pair):
    a, b = pair
    assert psnr(a, b) == pytest.approx(peak_signal_noise_ratio(a, b), abs=1e-12)
    inner = (slice(4, -4), slice(4, -4))
    expected = peak_signal_noise_ratio(a[inner], b[inner])
    assert psnr(a, b, crop_border=4) == pytest.approx(expected, abs=1e-12)
    expected = peak_signal_noise_ratio(to_y(a), to_y(b), data_range=255)
    assert psnr(a, b, y_channel=True) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("y_channel", [False, True])
def test_ssim_equals_scikit_image(pair, y_channel):
    a, b = (to_y(x) for x in pair) if y_channel else (x.astype(float) for x in pair)
    expected = structural_similarity(
        a,
        b,
        data_range=255,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim(*pair, y_channel=y_channel) == pytest.approx(expected, abs=1e-12)


def test_ssim_equals_its_definition_written_out(pair):
    a, b = (x[:14, :13, 0].astype(float) for x in pair)
    offsets = np.arange(-5, 6)
    gauss = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(gauss, gauss) / gauss.sum() ** 2
    values = []
    for i in range(a.shape[0] - 10):
        for j in range(a.shape[1] - 10):
            x, y = a[i : i + 11, j : j + 11], b[i : i + 11, j : j + 11]
            mx, my = (window * x).sum(), (window * y).sum()
            vx, vy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
            cov = (window * (x - mx) * (y - my)).sum()
            c1, c2 = 2.55**2, 7.65**2
            values.append(
                (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
            )
    assert ssim(a, b) == pytest.approx(np.mean(values), abs=1e-12)


def test_luma_of_known_colours():
    colours = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 0, 255]]], np.uint8)
    np.testing.assert_allclose(to_y(colours)[0, :, 0], [16, 235, 81.481, 40.966])


def test_luma_is_not_rounded():
    assert to_y(np.ones((1, 1, 3), np.uint8)).item() == pytest.approx(16 + 219 / 255)


def test_equal_pictures():
    a = np.full((16, 16, 3), 9, np.uint8)
    assert psnr(a, a) == math.inf
    assert ssim(a, a) == 1


def test_psnr_of_a_known_error():
    a = np.zeros((8, 8))
    assert psnr(a, a + 1) == pytest.approx(20 * math.log10(255))


def test_bytes_do_not_wrap_around():
    assert psnr(np.zeros((2, 2), np.uint8), np.full((2, 2), 255, np.uint8)) == 0


@pytest.mark.parametrize("measure", [psnr, ssim])
def test_different_sizes_are_an_error(measure):
    with pytest.raises(ValueError, match=r"\(16, 16, 3\) and \(16, 15, 3\)"):
        measure(np.zeros((16, 16, 3)), np.zeros((16, 15, 3)))


def test_nothing_left_inside_the_border_is_an_error():
    with pytest.raises(ValueError, match="nothing"):
        psnr(np.zeros((8, 20)), np.zeros((8, 20)), crop_border=4)
    with pytest.raises(ValueError, match="11x11"):
        ssim(np.zeros((18, 20)), np.zeros((18, 20)), crop_border=4)


def test_luma_of_two_channels_is_an_error():
    with pytest.raises(ValueError, match="1 or 3 channels"):
        to_y(np.zeros((2, 2, 2)))
