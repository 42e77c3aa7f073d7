"""The verb browse: what is drawn for each kind of data set."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from mmsuper.cli import main
from mmsuper.visualization.samples import draw_sample, to_picture

RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture(autouse=True)
def in_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write_picture(path, colour, size=(8, 8)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def share_of(path, colour):
    """How much of a picture file has about a colour."""
    picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return (np.abs(picture - colour).max(2) < 12).mean()


@pytest.fixture
def pairs(tmp_path):
    for name in ("a", "b", "c"):
        write_picture(tmp_path / f"data/LR/{name}.png", RED)
        write_picture(tmp_path / f"data/HR/{name}.png", BLUE, (16, 16))
    (tmp_path / "pairs.py").write_text(
        "load = [dict(type='LoadImageFromFile', key=k, channel_order='rgb')\n"
        "        for k in ('img', 'gt')]\n"
        "train_dataloader = dict(batch_size=1, sampler=dict(type='DefaultSampler'), dataset=dict(\n"
        "    type='BasicImageDataset', data_root='data', data_prefix=dict(img='LR', gt='HR'),\n"
        "    pipeline=[*load, dict(type='mmsuper.PairedCrop', size=4),\n"
        "              dict(type='PackInputs')]))\n"
    )


@pytest.mark.slow
def test_pairs_are_drawn_side_by_side_in_their_colours(pairs, capsys):
    # The config names no default scope: the library is found by the data set's name.
    assert main(["browse", "pairs.py", "-o", "out/sheet.png", "-n", "2"]) == 0
    assert "2 of 3 samples drawn into out/sheet.png" in capsys.readouterr().out
    red, blue = share_of("out/sheet.png", RED), share_of("out/sheet.png", BLUE)
    assert red > 0.2
    assert red == pytest.approx(blue, rel=0.1)


@pytest.mark.slow
def test_a_broken_picture_is_named(pairs, tmp_path, capsys):
    (tmp_path / "data/LR/a.png").write_bytes(b"no picture")
    assert main(["browse", "pairs.py", "-n", "3"]) == 2
    assert "data/LR/a.png" in capsys.readouterr().err
    assert not (tmp_path / "sheet.png").exists()


@pytest.mark.slow
def test_a_split_that_is_not_there(pairs, capsys):
    assert main(["browse", "pairs.py", "--split", "val"]) == 2
    assert "has no val_dataloader" in capsys.readouterr().err


def test_the_number_of_samples_must_be_positive(capsys):
    assert main(["browse", "any.py", "-n", "0"]) == 2
    assert "at least one" in capsys.readouterr().err


@pytest.mark.slow
def test_boxes_and_masks_are_drawn(tmp_path):
    write_picture(tmp_path / "data/x.jpg", (0, 0, 0), (100, 80))
    outline = [30, 20, 70, 20, 70, 60, 30, 60]
    note = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [30, 20, 40, 40], "iscrowd": 0}
    note |= {"segmentation": [outline], "area": 1600}
    content = {
        "images": [{"id": 1, "file_name": "x.jpg", "width": 100, "height": 80}],
        "annotations": [note],
        "categories": [{"id": 1, "name": "thing"}],
    }
    (tmp_path / "data/notes.json").write_text(json.dumps(content))
    (tmp_path / "coco.py").write_text(
        "train_dataloader = dict(batch_size=1, dataset=dict(type='CocoDataset',\n"
        "    data_root='data', ann_file='notes.json', data_prefix=dict(img=''),\n"
        "    metainfo=dict(classes=('thing',), palette=[(255, 0, 0)]), pipeline=[\n"
        "    dict(type='LoadImageFromFile'),\n"
        "    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),\n"
        "    dict(type='Resize', scale=(50, 40)), dict(type='PackDetInputs')]))\n"
    )
    assert main(["browse", "coco.py", "--stage", "loaded"]) == 0
    picture = np.asarray(Image.open("sheet.png").convert("RGB")).astype(int)
    red = (picture[..., 0] > 120) & (picture[..., 1:].max(2) < 60)
    black = picture.max(2) < 20
    # The mask is a fifth of a picture that is otherwise black.
    assert red.sum() / (red.sum() + black.sum()) == pytest.approx(0.2, abs=0.06)


@pytest.mark.slow
def test_a_segmentation_map_is_laid_over_in_its_palette(tmp_path):
    write_picture(tmp_path / "data/img/x.jpg", (0, 0, 0), (64, 64))
    (tmp_path / "data/map").mkdir()
    labels = np.zeros((64, 64), np.uint8)
    labels[:, 32:] = 1
    Image.fromarray(labels).save(tmp_path / "data/map/x.png")
    (tmp_path / "seg.py").write_text(
        "train_dataloader = dict(batch_size=1, dataset=dict(type='BaseSegDataset',\n"
        "    data_root='data', data_prefix=dict(img_path='img', seg_map_path='map'),\n"
        "    metainfo=dict(classes=('a', 'b'), palette=[[255, 0, 0], [0, 0, 255]]), pipeline=[\n"
        "    dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'),\n"
        "    dict(type='PackSegInputs')]))\n"
    )
    assert main(["browse", "seg.py"]) == 0
    picture = np.asarray(Image.open("sheet.png").convert("RGB")).astype(int)
    red = (picture[..., 0] > 100) & (picture[..., 2] < 40)
    blue = (picture[..., 2] > 100) & (picture[..., 0] < 40)
    assert red.mean() > 0.2
    assert red.sum() == pytest.approx(blue.sum(), rel=0.1)


def element(**fields):
    from mmengine.structures import BaseDataElement

    return BaseDataElement(metainfo={"img_path": "a/b/c.png"}, **fields)


def test_bgr_input_is_turned_and_rgb_input_is_not():
    image = torch.zeros(3, 2, 2, dtype=torch.uint8)
    image[0] = 255
    assert to_picture(image, rgb=True)[0, 0].tolist() == [255, 0, 0]
    assert to_picture(image, rgb=False)[0, 0].tolist() == [0, 0, 255]


def test_values_of_any_range_become_a_picture():
    grey = torch.full((1, 2, 2), 0.5)
    assert to_picture(grey, rgb=True).tolist() == [[[128] * 3] * 2] * 2
    normalised = torch.tensor([-2.0, 2.0]).view(1, 1, 2).expand(3, 1, 2)
    assert to_picture(normalised, rgb=True)[0, :, 0].tolist() == [0, 255]


def test_a_pair_is_the_input_enlarged_beside_the_truth():
    low = torch.tensor([[[10, 20]]], dtype=torch.uint8).expand(3, 1, 2)
    high = torch.full((3, 2, 4), 99, dtype=torch.uint8)
    drawn = draw_sample({"inputs": low, "data_samples": element(gt_img=high)}, {}, rgb=True)
    assert drawn.picture[..., 0].tolist() == [[10, 10, 20, 20, 99, 99, 99, 99]] * 2
    assert drawn.caption == "b/c.png\ninput 2x1, truth 4x2"


def test_a_clip_has_a_row_of_inputs_over_a_row_of_truths():
    low = torch.arange(8, dtype=torch.uint8).view(8, 1, 1, 1).expand(8, 3, 1, 1)
    high = low.repeat_interleave(2, 2).repeat_interleave(2, 3)
    drawn = draw_sample({"inputs": low, "data_samples": element(gt_img=high)}, {}, rgb=True)
    assert drawn.picture[:, ::2, 0].tolist() == [[0, 2, 5, 7]] * 4


def test_a_class_is_named_in_the_caption():
    sample = {
        "inputs": torch.zeros(3, 4, 4, dtype=torch.uint8),
        "data_samples": element(gt_label=torch.tensor([1])),
    }
    drawn = draw_sample(sample, {"classes": ("cat", "dog")}, rgb=True)
    assert drawn.caption.splitlines()[0] == "dog"


@pytest.mark.parametrize("sample", ["One line.\nTwo.", {"text": "One line.\nTwo."}])
def test_text_is_drawn(sample):
    drawn = draw_sample(sample, {}, rgb=True)
    assert drawn.caption == "14 characters"
    assert (drawn.picture < 100).any()
    assert (drawn.picture != draw_sample("Other.", {}, rgb=True).picture).any()
