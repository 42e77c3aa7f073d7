"""The pipeline transforms."""

import numpy as np
import pytest

from mmsuper.data.resize import imresize
from mmsuper.errors import UserError
from mmsuper.registry import TRANSFORMS


@pytest.fixture
def high():
    return np.random.default_rng(0).integers(0, 256, (48, 60, 3), dtype=np.uint8)


def coordinates(height, width):
    """A picture whose pixels tell their place."""
    return np.stack(np.indices((height, width)), axis=-1)


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_crops_match(scale):
    crop = TRANSFORMS.build({"type": "mmsuper.PairedCrop", "size": 8})
    places = set()
    for _ in range(40):
        results = crop({"img": coordinates(12, 15), "gt": coordinates(12 * scale, 15 * scale)})
        assert results["img"].shape == (8, 8, 2)
        assert results["gt"].shape == (8 * scale, 8 * scale, 2)
        np.testing.assert_array_equal(results["gt"][0, 0], scale * results["img"][0, 0])
        assert results["scale"] == scale
        places.add(tuple(results["img"][0, 0]))
    assert {top for top, _ in places} == set(range(5))
    assert max(left for _, left in places) <= 7


def test_frames_of_a_clip_are_cropped_alike():
    crop = TRANSFORMS.build({"type": "mmsuper.PairedCrop", "size": 4})
    clip = {"img": [coordinates(9, 9)] * 3, "gt": [coordinates(18, 18)] * 3}
    results = crop(clip)
    assert len(results["img"]) == len(results["gt"]) == 3
    for low, high in zip(results["img"], results["gt"], strict=True):
        np.testing.assert_array_equal(low, results["img"][0])
        np.testing.assert_array_equal(high[0, 0], 2 * low[0, 0])


def test_crops_are_copies(high):
    low = high[::2, ::2].copy()
    before = low.copy()
    results = TRANSFORMS.build({"type": "mmsuper.PairedCrop", "size": 8})({"img": low, "gt": high})
    results["img"][:] = 0
    np.testing.assert_array_equal(low, before)


def test_pictures_that_do_not_belong_together_are_named(high):
    crop = TRANSFORMS.build({"type": "mmsuper.PairedCrop", "size": 8})
    paths = {"img_path": "LR/a.png", "gt_path": "HR/a.png"}
    with pytest.raises(UserError, match=r"HR/a\.png of 60x48 .* no multiple of LR/a\.png of 29x24"):
        crop({"img": high[:24, :29], "gt": high, **paths})
    with pytest.raises(UserError, match=r"LR/a\.png of 6x24 pixels is smaller"):
        crop({"img": high[:24, :6], "gt": high[:, :12], **paths})


def test_downsample_makes_the_input(high):
    transform = TRANSFORMS.build({"type": "mmsuper.MatlabDownsample", "scale": 4})
    results = transform({"gt": high[:46, :59], "gt_channel_order": "rgb"})
    np.testing.assert_array_equal(results["gt"], high[:44, :56])
    np.testing.assert_array_equal(results["img"], imresize(high[:44, :56], 1 / 4))
    assert results["img_channel_order"] == "rgb"
    assert results["scale"] == 4
