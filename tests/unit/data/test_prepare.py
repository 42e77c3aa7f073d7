"""Sub-images of DIV2K, pairs of own pictures, clips for video super-resolution."""

import numpy as np
import pytest
from PIL import Image

from mmsuper.data import prepare
from mmsuper.data.degrade import blur_down
from mmsuper.data.resize import imresize
from mmsuper.errors import UserError


def read(path):
    return np.array(Image.open(path))


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


@pytest.fixture
def download(tmp_path):
    """DIV2K with one picture of 732x492 pixels and its halves."""
    image = np.random.default_rng(0).integers(0, 256, (492, 732, 3), dtype=np.uint8)
    write(tmp_path / "DIV2K_train_HR/0001.png", image)
    write(tmp_path / "DIV2K_train_LR_bicubic/X2/0001x2.png", image[::2, ::2])
    return tmp_path, image


def test_sub_images_cover_the_picture_and_match(download):
    folder, image = download
    assert prepare.div2k(folder, folder, scales=[2], jobs=1) == 6
    high = sorted((folder / "DIV2K_train_HR_sub").iterdir())
    assert [path.name for path in high] == [f"0001_s00{i}.png" for i in range(1, 7)]
    corners = [(top, left) for top in (0, 12) for left in (0, 240, 252)]
    for path, (top, left) in zip(high, corners, strict=True):
        part = image[top : top + 480, left : left + 480]
        np.testing.assert_array_equal(read(path), part)
        low = read(folder / "DIV2K_train_LR_bicubic/X2_sub" / path.name)
        np.testing.assert_array_equal(low, part[::2, ::2])
    assert (folder / "train_sub.txt").read_text().split() == [path.name for path in high]


def test_a_damaged_picture_is_named_and_nothing_is_left(download):
    folder, _ = download
    low = folder / "DIV2K_train_LR_bicubic/X2/0001x2.png"
    low.write_bytes(low.read_bytes()[:5000])
    with pytest.raises(UserError, match=r"0001x2\.png is damaged"):
        prepare.div2k(folder, folder, scales=[2], jobs=1)
    assert not list(folder.rglob("*sub*"))


def test_a_picture_of_the_wrong_size_is_named(download):
    folder, image = download
    write(folder / "DIV2K_train_LR_bicubic/X2/0001x2.png", image[:100, :100])
    with pytest.raises(UserError, match=r"0001x2\.png of 100x100 .* 732x492 reduced 2 times"):
        prepare.div2k(folder, folder, scales=[2], jobs=1)


def test_missing_folders_and_earlier_results_are_errors(download):
    folder, _ = download
    with pytest.raises(UserError, match=r"no folder .*X3; docs/data\.md"):
        prepare.div2k(folder, folder, scales=[3], jobs=1)
    (folder / "DIV2K_train_HR_sub").mkdir()
    with pytest.raises(UserError, match="is there already"):
        prepare.div2k(folder, folder, scales=[2], jobs=1)


def test_pairs_of_own_pictures(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (30, 41, 3), dtype=np.uint8)
    write(tmp_path / "mine/a.png", image)
    write(tmp_path / "mine/grey.tif", image[..., 0])
    assert prepare.pairs(tmp_path / "mine", tmp_path / "out", [2, 3], jobs=1) == 2
    np.testing.assert_array_equal(read(tmp_path / "out/HR/a.png"), image[:24, :36])
    for scale in (2, 3):
        low = read(tmp_path / f"out/LRx{scale}/a.png")
        np.testing.assert_array_equal(low, imresize(image[:24, :36], 1 / scale))
    assert (tmp_path / "out/pictures.txt").read_text() == "a.png\ngrey.png\n"
    assert read(tmp_path / "out/HR/grey.png").shape == (24, 36, 3)


def test_pairs_refuses_what_it_cannot_name_or_halve(tmp_path):
    image = np.zeros((30, 41, 3), np.uint8)
    write(tmp_path / "twice/a.png", image)
    write(tmp_path / "twice/a.bmp", image)
    with pytest.raises(UserError, match="several pictures called a"):
        prepare.pairs(tmp_path / "twice", tmp_path / "out", jobs=1)
    write(tmp_path / "small/a.png", image[:11])
    with pytest.raises(UserError, match="smaller than 12x12"):
        prepare.pairs(tmp_path / "small", tmp_path / "out", jobs=1)
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError, match="no pictures"):
        prepare.pairs(tmp_path / "none", tmp_path / "out", jobs=1)
    assert not (tmp_path / "out" / "HR").exists()


@pytest.fixture
def picture():
    return np.random.default_rng(1).integers(0, 256, (18, 25, 3), dtype=np.uint8)


@pytest.fixture
def reds(tmp_path, monkeypatch):
    """REDS with 5 clips to train with and 2 for validation, and two to measure on."""
    monkeypatch.setattr(prepare, "_REDS_ALL", 7)
    monkeypatch.setattr(prepare, "_REDS_TRAINING", 5)
    monkeypatch.setattr(prepare, "_REDS4", ("000", "003"))
    for kind in ("sharp", "sharp_bicubic/X4"):
        for split, count in (("train", 5), ("val", 2)):
            for i in range(count):
                (tmp_path / f"{split}_{kind}" / f"{i:03d}" / f"of_{split}").mkdir(parents=True)
    return tmp_path


def test_reds_is_merged_and_listed(reds):
    for _ in range(2):  # a second time changes nothing
        assert prepare.reds(reds) == 5
    for kind in ("train_sharp", "train_sharp_bicubic/X4"):
        found = [next(clip.iterdir()).name for clip in sorted((reds / kind).glob("[0-9]*"))]
        assert found == ["of_train"] * 5 + ["of_val"] * 2
    assert (reds / "train.txt").read_text().split() == ["001", "002", "004", "005", "006"]
    assert (reds / "reds4.txt").read_text().split() == ["000", "003"]


def test_reds_that_is_not_whole_is_an_error(reds):
    next((reds / "val_sharp_bicubic/X4/001").iterdir()).rmdir()
    (reds / "val_sharp_bicubic/X4/001").rmdir()
    with pytest.raises(UserError, match=r"val_sharp_bicubic/X4/001; docs/data\.md"):
        prepare.reds(reds)
    assert not (reds / "train.txt").exists()


def test_vimeo_gets_reduced_clips(tmp_path, picture):
    for clip in ("00001/0001", "00002/0007"):
        for i in range(1, 8):
            write(tmp_path / "sequences" / clip / f"im{i}.png", picture[:16, :24])
    (tmp_path / "sep_trainlist.txt").write_text("00001/0001\n")
    with pytest.raises(UserError, match=r"sep_testlist\.txt; docs/data\.md"):
        prepare.vimeo90k(tmp_path, jobs=1)
    (tmp_path / "sep_testlist.txt").write_text("00002/0007\n")
    assert prepare.vimeo90k(tmp_path, jobs=1) == 2
    assert len(list(tmp_path.glob("BDx4/*/*/im*.png"))) == 14
    made = read(tmp_path / "BDx4/00002/0007/im7.png")
    np.testing.assert_array_equal(made, blur_down(picture[:16, :24]))


def test_clips_are_cropped_and_reduced(tmp_path, picture):
    write(tmp_path / "from/city/frame_0002.png", picture)
    write(tmp_path / "from/walk/truth/frame_0002.png", picture)
    write(tmp_path / "from/walk/blur4/frame_0002.png", picture[::4, ::4])
    assert prepare.clips_bd(tmp_path / "from", tmp_path / "to", jobs=1) == 2
    for clip in ("city", "walk"):
        high = read(tmp_path / "to/GT" / clip / "frame_0002.png")
        np.testing.assert_array_equal(high, picture[:16, :24])
        low = read(tmp_path / "to/BDx4" / clip / "frame_0002.png")
        np.testing.assert_array_equal(low, blur_down(high))


def test_clips_with_frames_of_several_sizes_leave_nothing(tmp_path, picture):
    write(tmp_path / "from/city/a.png", picture)
    write(tmp_path / "from/city/b.png", picture[:12])
    with pytest.raises(UserError, match=r"b\.png of 24x12 .* size of .*a\.png"):
        prepare.clips_bd(tmp_path / "from", tmp_path / "to", jobs=1)
    assert list((tmp_path / "to").iterdir()) == []
    with pytest.raises(UserError, match="has no folders"):
        prepare.clips_bd(tmp_path / "from/city", tmp_path / "other", jobs=1)
