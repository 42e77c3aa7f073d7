"""MATLAB-bicubic resizing against mmagic's version and against what the definition implies."""

import numpy as np
import pytest

from mmsuper.data.resize import crop_to_multiple, imresize, to_uint8


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (37, 52, 3), dtype=np.uint8)


@pytest.mark.parametrize("scale", [1 / 2, 1 / 3, 1 / 4, 0.75, 1.0, 2.0, 3.0])
def test_equals_mmagics_version(picture, scale):
    from mmsuper.compat import mmagic

    mmagic.apply()
    from mmagic.datasets.transforms import MATLABLikeResize

    theirs = MATLABLikeResize(keys=["img"], scale=scale)({"img": picture})["img"]
    # Theirs computes positions in float32.
    np.testing.assert_allclose(imresize(picture.astype(float), scale), theirs, atol=2e-3)


def test_constant_stays_constant():
    image = np.full((24, 36), 77.25)
    for scale in (0.25, 0.3, 0.5, 1.7, 4):
        np.testing.assert_allclose(imresize(image, scale), 77.25, rtol=1e-13)


def test_scale_one_is_the_identity(picture):
    np.testing.assert_array_equal(imresize(picture, 1), picture)


@pytest.mark.parametrize("scale", [0.25, 0.5, 2, 3])
def test_a_ramp_stays_a_ramp_away_from_the_borders(scale):
    # The kernel reproduces straight lines; an output pixel's value is its centre's position.
    ramp = np.arange(80.0)[:, None]
    result = imresize(np.tile(ramp, (1, 40)), scale)[:, 5]
    centres = (np.arange(len(result)) + 0.5) / scale - 0.5
    inside = slice(round(10 * scale), -round(10 * scale))
    np.testing.assert_allclose(result[inside], centres[inside], atol=1e-12)


@pytest.mark.parametrize("scale", [1 / 3, 0.5, 2])
def test_mirrored_input_gives_mirrored_output(picture, scale):
    image = crop_to_multiple(picture, 12).astype(float)
    expected = imresize(image, scale)[::-1, ::-1]
    np.testing.assert_allclose(imresize(image[::-1, ::-1], scale), expected, atol=1e-9)


def test_transposing_commutes(picture):
    a = imresize(picture.swapaxes(0, 1), 0.25)
    np.testing.assert_array_equal(a, imresize(picture, 0.25).swapaxes(0, 1))


def test_half_size_has_the_known_eight_taps():
    # Keys' kernel at 0.25, 0.75, 1.25 and 1.75 output pixels, halved: worked out by hand.
    taps = np.array([-3, -9, 29, 111, 111, 29, -9, -3]) / 256
    image = np.zeros((40, 40))
    image[20, :] = 1
    column = imresize(image, 0.5)[:, 10]
    # Output row j weighs input rows 2j-3 ... 2j+4; input row 20 is tap 23 - 2j of it.
    expected = {j: taps[23 - 2 * j] for j in range(8, 12)}
    for j in range(20):
        assert column[j] == pytest.approx(expected.get(j, 0.0), abs=1e-15)


def test_sizes_are_rounded_up():
    assert imresize(np.zeros((99, 100)), 1 / 3).shape == (33, 34)
    assert imresize(np.zeros((5, 7, 3)), 1 / 4).shape == (2, 2, 3)
    assert imresize(np.zeros((1, 1)), 4).shape == (4, 4)


def test_bytes_are_clipped_and_rounded_once():
    stripes = np.zeros((32, 32), np.uint8)
    stripes[:, ::8] = stripes[:, 1::8] = stripes[:, 2::8] = 255
    exact = imresize(stripes.astype(float), 2)
    assert exact.min() < 0 and exact.max() > 255
    result = imresize(stripes, 2)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, to_uint8(exact))


@pytest.mark.parametrize("bad", [0, -1])
def test_a_scale_must_be_positive(bad):
    with pytest.raises(ValueError, match="positive"):
        imresize(np.zeros((4, 4)), bad)


def test_an_empty_picture_is_refused():
    with pytest.raises(ValueError, match=r"\(0, 4\)"):
        imresize(np.zeros((0, 4)), 0.5)


def test_crop_to_multiple():
    assert crop_to_multiple(np.zeros((37, 52, 3)), 12).shape == (36, 48, 3)
    assert crop_to_multiple(np.zeros((36, 48)), 12).shape == (36, 48)
