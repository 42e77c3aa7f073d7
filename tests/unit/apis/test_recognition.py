"""Recognition: the same as the host libraries' own inference, in batches or alone."""

import json

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope
from PIL import Image

from mmsuper import configuration
from mmsuper.analysis import network
from mmsuper.apis import inferencer, recognition
from mmsuper.apis.predictions import Predictions, to_annotations
from mmsuper.errors import UserError

NAMES = {
    "classification": "svit-sample_digits",
    "detection": "mask-rcnn_svit-sample_coco",
    "segmentation": "upernet_svit-sample_segmentation",
}


def picture(height, width):
    pixels = np.random.default_rng(height).integers(0, 256, (height // 8, width // 8, 3))
    image = Image.fromarray(pixels.astype(np.uint8))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """``{task: (config, weights, inferencer)}`` of small models with random weights."""
    folder = tmp_path_factory.mktemp("models")
    found = {}
    for task, name in NAMES.items():
        config = folder / f"{name}_tiny.py"
        config.write_text(
            f"_base_ = 'mmsuper::svit/{name}.py'\nmodel = dict(backbone=dict(depths=(1, 1, 1, 1)))"
        )
        torch.manual_seed(0)
        state = network.build(configuration.load(config)).state_dict()
        weights = folder / f"{name}.pth"
        torch.save({"state_dict": state}, weights)
        found[task] = (config, weights, inferencer(config, weights, "cpu"))
    return found


def test_tasks_are_told_by_the_config(models):
    for task, (_, _, recognize) in models.items():
        assert recognize.task == task
    assert models["classification"][2].names == [str(digit) for digit in range(10)]
    assert models["detection"][2].names[:2] == ["coin", "cup"]
    assert models["detection"][2].category_ids == [1, 2, 3, 4, 5]
    # 0 is the unlabelled of this data set.
    assert models["segmentation"][2].category_ids == [1, 2, 3, 4, 5, 6]
    assert models["segmentation"][2].colours[0].tolist() == [165, 70, 55]


def test_detector_gives_what_mmdet_gives(models, tmp_path):
    from mmdet.apis import inference_detector

    config, _, recognize = models["detection"]
    Image.fromarray(picture(64, 96)).save(tmp_path / "a.png")
    recognize.model.cfg = configuration.read(config)
    with DefaultScope.overwrite_default_scope("mmdet"):
        sample = inference_detector(recognize.model, str(tmp_path / "a.png"))
    expected = sample.pred_instances
    (found,) = recognize([tmp_path / "a.png"])
    assert len(found["scores"]) == len(expected.scores) > 0
    assert found["scores"] == pytest.approx(expected.scores.numpy())
    assert found["boxes"] == pytest.approx(expected.bboxes.numpy(), abs=1e-3)
    assert np.array_equal(found["masks"], expected.masks.numpy())


def test_segmentor_gives_what_mmseg_gives(models, tmp_path):
    from mmseg.apis import inference_model

    config, _, recognize = models["segmentation"]
    Image.fromarray(picture(64, 96)).save(tmp_path / "a.png")
    recognize.model.cfg = configuration.read(config)
    recognize.model.cfg.test_pipeline = recognize.model.cfg.test_dataloader.dataset.pipeline
    with DefaultScope.overwrite_default_scope("mmseg"):
        sample = inference_model(recognize.model, str(tmp_path / "a.png"))
    expected = sample.pred_sem_seg.data[0]
    (found,) = recognize([tmp_path / "a.png"])
    assert np.array_equal(found["labels"], expected.numpy())


def test_classifier_gives_what_mmpretrain_gives(models, tmp_path):
    from mmpretrain.apis import ImageClassificationInferencer

    config, _, recognize = models["classification"]
    Image.fromarray(picture(32, 32)).save(tmp_path / "a.png")
    recognize.model._config = configuration.read(config)
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        (expected,) = ImageClassificationInferencer(recognize.model)(str(tmp_path / "a.png"))
    (found,) = recognize([tmp_path / "a.png"])
    assert found["scores"] == pytest.approx(expected["pred_scores"], abs=1e-6)


@pytest.mark.parametrize("task", NAMES)
def test_batch_of_different_sizes_equals_one_by_one(models, task):
    recognize = models[task][2]
    images = [picture(*size) for size in [(64, 64), (48, 80), (64, 64), (80, 48)]]
    together = recognize(images)
    for image, result in zip(images, together, strict=True):
        (alone,) = recognize([image])
        assert result.keys() == alone.keys()
        for key, values in alone.items():
            assert result[key] == pytest.approx(values, abs=1e-3), key


def test_folding_changes_nothing(models):
    config, weights, recognize = models["classification"]
    folded = recognition.RecognitionInferencer(config, weights, "cpu", fold=True)
    assert sum(p.numel() for p in folded.model.parameters()) < sum(
        p.numel() for p in recognize.model.parameters()
    )
    images = [picture(32, 32)]
    assert folded(images)[0]["scores"] == pytest.approx(recognize(images)[0]["scores"], abs=1e-5)


def test_super_tokens_of_a_pixel_of_the_picture(models, monkeypatch):
    """The pixel is found again in the resized network input."""
    from mmsuper.projects.svit import pictures

    asked = []
    monkeypatch.setattr(
        pictures, "super_token_sheets", lambda model, batch, pixel: asked.append(pixel) or {}
    )
    recognize = models["detection"][2]  # which makes 128 x 160 pixels 256 x 320
    recognize.super_tokens(picture(128, 160), (10, 150))
    recognize.super_tokens(picture(128, 160))
    assert asked == [(21, 301), (129, 161)]
    with pytest.raises(UserError, match="not in a picture of 128 rows and 160 columns"):
        recognize.super_tokens(picture(128, 160), (128, 0))


def test_pixel_cropped_away_is_the_nearest():
    from types import SimpleNamespace

    sample = SimpleNamespace(ori_shape=(100, 200), scale_factor=(0.5, 0.5))
    packed = {"inputs": torch.zeros(3, 40, 40), "data_samples": sample}  # of 50 x 100
    assert recognition._input_position(packed, 50, 100) == (20, 20)
    assert recognition._input_position(packed, 0, 199) == (0, 39)


def test_names_come_from_training_then_from_the_data_set(tmp_path):
    config = configuration.read("mmsuper::svit/svit-sample_digits.py")
    config.test_dataloader.dataset.type = "ImageNet"
    content = {"meta": {"dataset_meta": {"classes": ("a", "b")}}}
    assert recognition._metainfo(config, content)["classes"] == ("a", "b")
    from mmpretrain.datasets.categories import IMAGENET_CATEGORIES

    assert recognition._metainfo(config, {})["classes"] == IMAGENET_CATEGORIES


def test_category_numbers_are_those_of_coco():
    from mmdet.datasets import CocoDataset

    names = list(CocoDataset.METAINFO["classes"])
    numbers = dict(zip(names, recognition._category_ids("detection", names, {}), strict=True))
    assert [numbers[name] for name in ("person", "stop sign", "toothbrush")] == [1, 13, 90]
    assert recognition._category_ids("classification", ["a", "b"], {}) == [0, 1]
    assert recognition._category_ids("segmentation", ["a", "b"], {}) == [0, 1]


def test_annotations_are_read_back_by_pycocotools(tmp_path):
    from pycocotools.coco import COCO

    masks = np.zeros((2, 20, 30), bool)
    masks[0, 3:9, 5:25] = True
    masks[1, 10:, :7] = True
    result = {
        "boxes": np.array([[5, 3, 25, 9], [0, 10, 7, 20]], np.float32),
        "scores": np.array([0.9, 0.5], np.float32),
        "labels": np.array([1, 0]),
        "masks": masks,
    }
    predictions = Predictions(tmp_path, {"model": "m"}, overwrite=False)
    predictions.categories = [{"id": 7, "name": "cup"}, {"id": 9, "name": "coin"}]
    predictions.add("empty.png", (4, 4), [])
    predictions.add("a.png", (20, 30), to_annotations(result, ["cup", "coin"], [7, 9]))
    predictions.write()

    coco = COCO(str(tmp_path / "predictions.json"))
    (image,) = [i for i in coco.dataset["images"] if i["file_name"] == "a.png"]
    found = coco.loadAnns(coco.getAnnIds(image["id"]))
    assert [one["category_id"] for one in found] == [9, 7]
    assert found[0]["bbox"] == [5, 3, 20, 6]
    assert np.array_equal(np.stack([coco.annToMask(one) for one in found]), masks)
    assert len(coco.loadRes(coco.dataset["annotations"]).getAnnIds()) == 2

    again = Predictions(tmp_path, {"model": "m"}, overwrite=False)
    assert "empty.png" in again
    assert "b.png" not in again
    with pytest.raises(UserError, match="was made with model 'm', not 'other'"):
        Predictions(tmp_path, {"model": "other"}, overwrite=False)
    assert "a.png" not in Predictions(tmp_path, {"model": "other"}, overwrite=True)
    (tmp_path / "predictions.json").write_text(json.dumps([]))
    with pytest.raises(UserError, match="cannot be added to"):
        Predictions(tmp_path, {"model": "m"}, overwrite=False)


def test_a_map_gives_a_mask_for_each_class_that_is_there():
    from pycocotools import mask as coco_mask

    labels = np.zeros((6, 8), np.int64)
    labels[2:4] = 2
    found = to_annotations({"labels": labels}, ["a", "b", "c"], [1, 2, 3])
    assert [one["category_id"] for one in found] == [1, 3]
    assert np.array_equal(coco_mask.decode(found[1]["segmentation"]), labels == 2)
    assert found[1]["area"] == 16


def test_a_model_without_weights_says_so():
    with pytest.raises(UserError, match="ships without weights; name a checkpoint"):
        recognition.RecognitionInferencer("svit-base_in1k-224")
