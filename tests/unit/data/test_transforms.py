"""The pipeline transforms."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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


@pytest.fixture
def files(tmp_path, high):
    """A pair on disk, the low-resolution one in grey."""
    for name, image in (("img", high[::2, ::2, 0]), ("gt", high)):
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    return {f"{name}_path": str(tmp_path / f"{name}.png") for name in ("img", "gt")}


@pytest.mark.parametrize("cache", [False, True])
def test_pictures_are_loaded_as_rgb(files, high, cache):
    load = TRANSFORMS.build({"type": "mmsuper.LoadPictures", "cache": cache})
    for _ in range(2):
        results = load(dict(files))
        np.testing.assert_array_equal(results["gt"], high)
        np.testing.assert_array_equal(results["img"], np.repeat(high[::2, ::2, :1], 3, axis=2))
        assert results["gt_channel_order"] == results["img_channel_order"] == "rgb"
        assert results["ori_img_shape"] == (24, 30, 3)
        results["gt"][:] = 0  # What a transform does to a picture stays its own.


def test_a_cache_reads_a_picture_once(files, high):
    load = TRANSFORMS.build({"type": "mmsuper.LoadPictures", "cache": True})
    load(dict(files))
    for path in files.values():
        Path(path).unlink()
    np.testing.assert_array_equal(load(dict(files))["gt"], high)


def test_frames_are_loaded_as_a_list(files, high):
    load = TRANSFORMS.build({"type": "mmsuper.LoadPictures", "keys": ["gt"]})
    results = load({"gt_path": [files["gt_path"]] * 2})
    assert len(results["gt"]) == 2 and results["ori_gt_shape"] == [high.shape] * 2
    np.testing.assert_array_equal(results["gt"][1], high)


def test_a_damaged_picture_stops_or_is_skipped(files):
    path = Path(files["gt_path"])
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UserError, match=r"gt\.png"):
        TRANSFORMS.build({"type": "mmsuper.LoadPictures"})(dict(files))
    load = TRANSFORMS.build({"type": "mmsuper.LoadPictures", "skip_damaged": True})
    assert load(dict(files)) is None
    assert load(dict(files)) is None
    path.unlink()
    assert load(dict(files)) is None
    assert len(load.damaged) == 2


def test_downsample_makes_the_input(high):
    transform = TRANSFORMS.build({"type": "mmsuper.MatlabDownsample", "scale": 4})
    results = transform({"gt": high[:46, :59], "gt_channel_order": "rgb"})
    np.testing.assert_array_equal(results["gt"], high[:44, :56])
    np.testing.assert_array_equal(results["img"], imresize(high[:44, :56], 1 / 4))
    assert results["img_channel_order"] == "rgb"
    assert results["scale"] == 4


def test_truth_is_cropped_to_the_input(high):
    transform = TRANSFORMS.build({"type": "mmsuper.CropTruth"})
    results = transform({"img": high[:11, :14], "gt": high[:47, :59]})
    np.testing.assert_array_equal(results["gt"], high[:44, :56])
    paths = {"img_path": "LR/a.png", "gt_path": "HR/a.png"}
    for low in (high[:9, :14], high[:11, :16], high[:48]):
        with pytest.raises(UserError, match=r"LR/a\.png .* no reduced HR/a\.png of 59x47"):
            transform({"img": low, "gt": high[:47, :59], **paths})


@pytest.fixture
def clips(tmp_path):
    """A clip of five frames, 3x2 and 12x8 pixels, that starts at frame 2."""
    for folder, size in (("LR", (2, 3)), ("GT", (8, 12))):
        (tmp_path / folder / "city").mkdir(parents=True)
        for i in range(2, 7):
            image = Image.fromarray(np.zeros((*size, 3), np.uint8))
            image.save(tmp_path / folder / "city" / f"frame_{i:04d}.png")
    return tmp_path


def listed(folder, exchanged=False, count=None, **options):
    names = ("GT", "LR") if exchanged else ("LR", "GT")
    paths = {
        f"{key}_path": str(folder / name) for key, name in zip(("img", "gt"), names, strict=True)
    }
    transform = TRANSFORMS.build({"type": "mmsuper.ListFrames", "scale": 4, **options})
    return transform({**paths, "key": "city", "num_input_frames": count})


def test_frames_are_listed_whatever_they_are_called(clips):
    results = listed(clips)
    for key in ("img_path", "gt_path"):
        assert [Path(path).name for path in results[key]] == [
            f"frame_{i:04d}.png" for i in range(2, 7)
        ]
    assert listed(clips, middle_truth=True)["gt_path"].endswith("GT/city/frame_0004.png")


def test_segments_begin_anywhere_and_match(clips):
    starts = set()
    for _ in range(40):
        results = listed(clips, count=3)
        low, high = ([Path(path).name for path in results[f"{key}_path"]] for key in ("img", "gt"))
        assert low == high and len(low) == 3
        starts.add(low[0])
    assert len(starts) == 3
    with pytest.raises(UserError, match="city has 5 frames, and 6 are to be taken"):
        listed(clips, count=6)


def test_clips_that_do_not_fit_are_named(clips):
    with pytest.raises(UserError, match=r"LR/city of 3x2 .*GT/city of 12x8; .* exchanged"):
        listed(clips, exchanged=True)
    next((clips / "LR/city").iterdir()).unlink()
    with pytest.raises(UserError, match=r"LR/city has 4 frames and .*GT/city has 5"):
        listed(clips)
    with pytest.raises(UserError, match=r"no folder .*docs/data\.md"):
        listed(clips / "elsewhere")
