"""The sample data sets through the pipelines of the host libraries that read them."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope, init_default_scope

import mmsuper.data.samples as samples
from mmsuper.compat import mmagic
from mmsuper.data.samples import recognition, restoration

BASES = Path(__file__).parents[2] / "configs" / "_base_" / "datasets"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "samples"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recognition, "_COCO_SPLITS", {"train": 4, "val": 2})
        patch.setattr(recognition, "_SEGMENTATION_SPLITS", {"training": 2, "validation": 2})
        one = {split: dict(list(c.items())[:1]) for split, c in restoration.CLIPS.items()}
        patch.setattr(restoration, "CLIPS", one)
        patch.setattr(restoration, "TRAINING", {"coins": restoration.TRAINING["coins"]})
        samples.make(root, ["sr", "classification", "coco", "segmentation", "clips"])
    return root


@pytest.fixture
def dataset(root):
    """Return a function that builds a split of a base as a runner would."""

    def build(base, scope, split):
        mmagic.apply()
        __import__(f"{scope}.datasets")
        config = Config.fromfile(BASES / f"{base}.py")[f"{split}_dataloader"].dataset
        config.data_root = str(root / config.data_root.split("samples/")[1])
        init_default_scope(scope)
        return DATASETS.build(config)

    yield build
    DefaultScope.get_instance(f"after-{time.time_ns()}", scope_name="mmengine")


@pytest.mark.parametrize("split", ["train", "val"])
def test_pairs(dataset, split):
    data = dataset("sample_sr", "mmagic", split)
    assert len(data) == {"train": 2, "val": 5}[split]
    item = data[0]
    low, high = item["inputs"], item["data_samples"].gt_img
    assert high.shape[1:] == (4 * low.shape[1], 4 * low.shape[2])
    # The same picture: the input is the mean of 4x4 pixels up to the filter's ringing.
    mean = torch.nn.functional.avg_pool2d(high.float()[None], 4)[0]
    assert (mean - low).abs().mean() < 8


@pytest.mark.parametrize("split", ["train", "val"])
def test_clips(dataset, split):
    item = dataset("sample_clips", "mmagic", split)[0]
    frames = {"train": 6, "val": 16}[split]
    low, high = item["inputs"], item["data_samples"].gt_img
    assert low.shape == (frames, 3, *((32, 32) if split == "train" else (64, 80)))
    assert high.shape == (frames, 3, 4 * low.shape[2], 4 * low.shape[3])


def test_classification(dataset):
    data = dataset("sample_classification", "mmpretrain", "val")
    assert len(data) == 355 and len(data.CLASSES) == 10
    assert {int(data[i]["data_samples"].gt_label) for i in range(0, 355, 20)} == set(range(10))
    assert data[0]["inputs"].shape == (3, 32, 32)


def test_instances(dataset):
    data = dataset("sample_coco", "mmdet", "train")
    assert len(data) == 4 and data.metainfo["classes"][0] == "coin"
    found = data[0]["data_samples"].gt_instances
    assert len(found.masks) == len(found.bboxes) == len(found.labels) > 1
    boxes = found.masks.get_bboxes(type(found.bboxes)).tensor
    np.testing.assert_allclose(boxes, found.bboxes.tensor, atol=1)


def test_segmentation(dataset):
    data = dataset("sample_segmentation", "mmseg", "val")
    assert data.metainfo["classes"] == recognition.SEGMENTATION_CLASSES
    labels = data[0]["data_samples"].gt_sem_seg.data
    assert labels.shape == (1, 256, 256)
    # What was 0, unlabelled, is now ignored; the others are 0 to 5.
    assert set(labels.unique().tolist()) <= {0, 1, 2, 3, 4, 5, 255}
    assert 0 < (labels == 255).float().mean() < 0.1
