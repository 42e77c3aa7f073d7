"""The sample data: what is in the folders, that it repeats itself, and how it gets there."""

import hashlib
import itertools
import json

import numpy as np
import pytest
from mmengine.config import Config, ConfigDict
from PIL import Image
from pycocotools import mask as rle
from pycocotools.coco import COCO

from mmsuper.data import samples
from mmsuper.data.resize import imresize
from mmsuper.data.samples import recognition, restoration, text
from mmsuper.errors import UserError


def read(path):
    return np.array(Image.open(path))


def digest(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    content = [(str(path.relative_to(folder)), path.read_bytes()) for path in files]
    return hashlib.sha256(repr(content).encode()).hexdigest()


@pytest.mark.parametrize("kind", ["coco", "segmentation", "clips"])
def test_the_same_every_time(root, small, kind):
    assert digest(small(kind) / kind) == digest(root / kind)


# ---------------------------------------------------------------------------- pairs


def test_low_resolution_is_the_bicubic_of_high_resolution(root):
    folder = root / "sr" / "train"
    for high in sorted((folder / "HR").iterdir()):
        image = read(high)
        assert image.shape[0] % 12 == 0 and image.shape[1] % 12 == 0
        for scale in (2, 3, 4):
            low = read(folder / f"LRx{scale}" / high.name)
            np.testing.assert_array_equal(low, imresize(image, 1 / scale))


def test_lists_name_the_pictures(root):
    assert (root / "sr" / "val.txt").read_text() == "chelsea.png\n"
    assert (root / "sr" / "train.txt").read_text() == "coins.png\ncoins_s075.png\n"


def test_no_scene_is_in_both_splits():
    held_out = {source for source in restoration.HELD_OUT.values()}
    assert not held_out & {(file, package) for file, package, _ in restoration.TRAINING.values()}
    train, val = (set(restoration.CLIPS[split].values()) for split in ("train", "val"))
    assert not train & val
    # The two pictures of the motorcycle are one scene.
    assert not any("motorcycle" in file for file, _ in held_out)
    train, val = (set(recognition._BACKGROUNDS[split]) for split in ("train", "val"))
    assert not train & val


def test_training_crops_fit_every_picture():
    # The paper's 48x48 at x4, the largest crop that a config of ours takes.
    for file, package, factors in restoration.TRAINING.values():
        size = min(restoration.picture(file, package).shape[:2])
        assert size * min(factors) // 12 * 12 >= 48 * 4 or file == "page.png"


# ---------------------------------------------------------------------------- clips


def test_clips_have_consecutive_frames_that_move_a_little(root):
    folder = root / "clips" / "val"
    frames = [read(folder / "HR" / "000" / f"{i:08d}.png").astype(float) for i in range(16)]
    assert {frame.shape for frame in frames} == {(256, 320, 3)}
    for before, after in itertools.pairwise(frames):
        assert 0.5 < np.abs(after - before).mean() < 40
    low = read(folder / "LRx4" / "000" / "00000002.png")
    np.testing.assert_array_equal(low, imresize(frames[2].astype(np.uint8), 0.25))


def test_an_unmoved_camera_sees_the_picture():
    image = restoration.picture("chelsea.png")
    view = restoration._view(image, np.array([150.0, 220.0]), zoom=1.0, turn=0.0)
    part = image[22:278, 60:380].astype(float)
    # Enlarged by two and reduced again: nearly the same, and not shifted.
    error = np.abs(view - part)[4:-4, 4:-4].mean()
    assert error < 4
    for shift in (1, -1):
        assert np.abs(np.roll(view, shift, axis=1) - part)[4:-4, 4:-4].mean() > error + 1


# ------------------------------------------------------------------- classification


def test_digits_are_split_once_and_all_there(root):
    folder = root / "classification"
    counts = {
        split: [len(list((folder / split / str(digit)).iterdir())) for digit in range(10)]
        for split in ("train", "val")
    }
    assert sum(counts["train"]) + sum(counts["val"]) == 1797
    assert all(abs(v / (t + v) - 0.2) < 0.01 for t, v in zip(*counts.values(), strict=True))
    names = [path.name for path in folder.glob("*/*/*.png")]
    assert len(names) == len(set(names))
    assert read(next((folder / "train" / "3").iterdir())).shape == (32, 32)


# -------------------------------------------------------------------------- coco


def test_annotations_are_consistent(root):
    content = json.loads((root / "coco/annotations/instances_train.json").read_text())
    assert [c["name"] for c in content["categories"]] == list(recognition.CATEGORIES)
    assert len(content["images"]) == 6
    covered = {image["id"]: np.zeros((256, 320), int) for image in content["images"]}
    for annotation in content["annotations"]:
        run_lengths = annotation["segmentation"]
        mask = rle.decode(rle.frPyObjects(run_lengths, *run_lengths["size"]))
        assert mask.sum() == annotation["area"] > 0
        rows, columns = np.nonzero(mask)
        x, y, width, height = annotation["bbox"]
        assert (x, y) == (columns.min(), rows.min())
        assert (x + width, y + height) == (columns.max() + 1, rows.max() + 1)
        covered[annotation["image_id"]] += mask
    # What covers an object is not part of it.
    assert all(mask.max() == 1 for mask in covered.values())
    for image in content["images"]:
        size = Image.open(root / "coco/train" / image["file_name"]).size
        assert size == (image["width"], image["height"])


def test_pycocotools_reads_the_annotations(root):
    coco = COCO(root / "coco/annotations/instances_val.json")
    assert len(coco.getImgIds()) == 3
    assert all(coco.annToMask(annotation).any() for annotation in coco.anns.values())


def test_run_lengths():
    mask = np.array([[0, 1], [1, 1], [0, 0]], bool)
    assert recognition.run_lengths(mask) == [1, 1, 1, 2, 1]
    assert recognition.run_lengths(np.ones((2, 2), bool)) == [0, 4]
    assert recognition.run_lengths(np.zeros((2, 2), bool)) == [4]


@pytest.mark.parametrize("category", recognition.CATEGORIES)
def test_cutouts_are_whole_objects(category):
    from scipy import ndimage

    cutout = recognition._cutout(category, np.random.default_rng(0))
    assert cutout.image.shape == (*cutout.mask.shape, 3)
    assert 0.15 < cutout.mask.mean() < 0.95
    _, parts = ndimage.label(cutout.mask, np.ones((3, 3)))
    assert parts == 1


def test_all_coins_are_found():
    assert len(recognition._coins()) >= 20


# ------------------------------------------------------------------- segmentation


def test_labels_of_mosaics(root):
    names = sorted(path.stem for path in (root / "segmentation/images/training").iterdir())
    assert len(names) == 3
    for name in names:
        image = read(root / f"segmentation/images/training/{name}.jpg")
        labels = read(root / f"segmentation/annotations/training/{name}.png")
        assert image.shape == (256, 256, 3) and labels.shape == (256, 256)
        assert labels.max() <= len(recognition.SEGMENTATION_CLASSES)
        assert len(np.unique(labels[labels > 0])) >= 2
        assert 0 < (labels == 0).mean() < 0.1


def test_materials_of_the_splits_share_no_pixel():
    left, right = (recognition._material("brick", s) for s in ("training", "validation"))
    assert not np.array_equal(left[:100, :100], right[:100, :100])
    # Both are parts of one picture of 512 columns.
    assert left.shape[1] + min(right.shape[1], 512 - round(512 * 0.65)) <= 384 + 512


# -------------------------------------------------------------------------- text


def test_text_keeps_whole_documents_within_the_limit(monkeypatch):
    monkeypatch.setattr(text, "_LIMIT", 20)
    assert text._join(["a" * 8, "é" * 9, "b" * 6]) == b"a" * 8 + b"\n\n" + b"b" * 6 + b"\n\n"


def test_docstrings_of_two_lines_or_more():
    source = (
        '"""Module.\n\n    More."""\ndef f():\n    """One line."""\nclass C:\n    """A\n    b"""\n'
    )
    assert text._docstrings(source) == ["Module.\n\nMore.", "A\nb"]


def test_no_foreign_code_is_read():
    files = text._source_files()
    first = [next(files) for _ in range(3)]
    assert all(isinstance(source, str) and source for source in first)
    assert "site-packages" in text._SKIPPED


# ------------------------------------------------------------------- making it


def test_unknown_kind_is_an_error(tmp_path):
    with pytest.raises(UserError, match="no sample data of kind 'imagenet'"):
        samples.make(tmp_path, ["classification", "imagenet"])
    assert not list(tmp_path.iterdir())


def test_what_is_there_stays(root, small):
    before = (root / "coco" / ".mmsuper-sample").stat().st_mtime_ns
    small("coco", root=root)
    assert (root / "coco" / ".mmsuper-sample").stat().st_mtime_ns == before


def test_an_older_version_is_made_again(small, monkeypatch):
    root = small("coco")
    (root / "coco" / "left-over.txt").touch()
    monkeypatch.setitem(samples.VERSIONS, "coco", 99)
    assert not samples.is_current(root, "coco")
    small("coco", root=root)
    assert samples.is_current(root, "coco")
    assert not (root / "coco" / "left-over.txt").exists()
    assert [path.name for path in root.iterdir()] == ["coco"]


def test_somebodys_own_folder_is_left_alone(tmp_path):
    (tmp_path / "sr").mkdir()
    (tmp_path / "sr" / "mine.png").touch()
    samples.make(tmp_path, ["sr"])
    assert [path.name for path in (tmp_path / "sr").iterdir()] == ["mine.png"]


def test_nothing_is_left_when_making_fails(tmp_path, monkeypatch):
    def fail(folder):
        (folder / "half.png").touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(samples, "_builder", lambda kind: fail)
    with pytest.raises(KeyboardInterrupt):
        samples.make(tmp_path, ["sr"])
    assert not list(tmp_path.iterdir())


def test_an_unwritable_place_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write sample data"):
        samples.make(tmp_path / "file", ["classification"])


def dataset(root):
    return ConfigDict(train_dataloader={"dataset": {"datasets": [{"data_root": str(root)}]}})


def test_ensure_makes_what_a_config_names(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(samples, "_builder", lambda kind: made.append)
    root = tmp_path / "samples"
    samples.ensure(Config(dataset(root / "text" / "prose")))
    assert len(made) == 1
    assert [path.name for path in root.iterdir()] == ["text"]
    samples.ensure(Config(dataset(root / "text")))
    assert len(made) == 1


def test_ensure_names_the_page_for_real_data(tmp_path):
    config = Config(dataset(tmp_path / "DIV2K"))
    with pytest.raises(UserError, match=r"DIV2K; docs/data\.md"):
        samples.ensure(config)
    samples.ensure(config, dataloaders=["test_dataloader"])
    (tmp_path / "DIV2K").mkdir()
    samples.ensure(config)
