"""The registered metrics: what reaches them from an editor, and what they report."""

import math

import numpy as np
import pytest
import torch

from mmsuper.evaluation import psnr, ssim
from mmsuper.registry import METRICS


def sample(truth, prediction, name="a"):
    """What an editor hands to the evaluator: BGR tensors (C, H, W) in [0, 255]."""

    def tensor(image):
        return torch.from_numpy(image[..., ::-1].transpose(2, 0, 1).copy())

    return {
        "gt_img": tensor(truth),
        "output": {"pred_img": tensor(prediction)},
        "gt_path": f"data/HR/{name}.png",
    }


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 256, (24, 30, 3)).astype(np.uint8)
    return truth, np.clip(truth + rng.normal(0, 9, truth.shape), 0, 255).round()


@pytest.mark.parametrize(("name", "measure"), [("PSNR", psnr), ("SSIM", ssim)])
def test_equals_the_function(pair, name, measure):
    metric = METRICS.build({"type": f"mmsuper.{name}", "crop_border": 4, "y_channel": True})
    metric.process(None, [sample(*pair)])
    assert metric.evaluate(1) == {name: measure(pair[1], pair[0], 4, y_channel=True)}


def test_predictions_are_clipped_and_rounded(pair):
    truth, prediction = pair
    metric = METRICS.build({"type": "mmsuper.PSNR"})
    metric.process(None, [sample(truth, prediction + 0.3)])
    assert metric.evaluate(1)["PSNR"] == psnr(prediction, truth)
    black, white = np.zeros_like(truth), np.full_like(truth, 255)
    metric.process(None, [sample(black, black - 7.0), sample(white, white + 40.0)])
    assert metric.evaluate(2)["PSNR"] == math.inf


def test_value_of_every_picture_sorted_by_name(pair):
    truth, prediction = pair
    metric = METRICS.build({"type": "mmsuper.PSNR", "per_image": True, "prefix": "Set5"})
    metric.process(None, [sample(truth, prediction, "zebra")])
    metric.process(None, [sample(truth, np.clip(prediction + 3, 0, 255), "ape")])
    result = metric.evaluate(2)
    images = result["Set5/PSNR_images"]
    assert [image["image"] for image in images] == ["ape", "zebra"]
    assert images[1]["PSNR"] == psnr(prediction, truth)
    assert result["Set5/PSNR"] == np.mean([image["PSNR"] for image in images])


def test_a_clip_counts_as_the_mean_of_its_frames(pair):
    truth, prediction = pair
    one, two = sample(truth, prediction), sample(truth, truth)
    two["gt_img"][0] += 1 - 2 * (two["gt_img"][0] > 127).byte()
    clip = {
        "gt_img": torch.stack([one["gt_img"], two["gt_img"]]),
        "output": {
            "pred_img": torch.stack([one["output"]["pred_img"], two["output"]["pred_img"].double()])
        },
    }
    metric = METRICS.build({"type": "mmsuper.PSNR"})
    metric.process(None, [clip])
    whole = metric.evaluate(1)["PSNR"]
    metric.process(None, [one, two])
    assert whole == metric.evaluate(2)["PSNR"]


def test_size_mismatch_names_both_sizes(pair):
    truth, prediction = pair
    metric = METRICS.build({"type": "mmsuper.PSNR"})
    with pytest.raises(ValueError, match=r"\(24, 29, 3\) and \(24, 30, 3\)"):
        metric.process(None, [sample(truth, prediction[:, 1:])])
