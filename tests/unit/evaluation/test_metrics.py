"""The registered metrics: what reaches them from an editor, and what they report."""

import math

import numpy as np
import pytest
import torch

from mmsuper.errors import UserError
from mmsuper.evaluation import niqe, psnr, ssim
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


def test_frames_without_truth_are_an_error(pair):
    one = sample(*pair)
    one["gt_img"] = torch.stack([one["gt_img"]] * 2)
    with pytest.raises(ValueError, match="1 frames predicted and 2 given"):
        METRICS.build({"type": "mmsuper.PSNR"}).process(None, [one])


def test_niqe_rates_noise_worse():
    from skimage import data

    image = data.astronaut()[:192, 100:420]
    noisy = np.clip(image + np.random.default_rng(0).normal(0, 40, image.shape), 0, 255)
    assert 1.5 * niqe(image) < niqe(noisy.round())
    metric = METRICS.build({"type": "mmsuper.NIQE", "crop_border": 4})
    metric.process(None, [sample(image, image.astype(float))])
    assert metric.evaluate(1) == {"NIQE": niqe(image, 4)}


def test_niqe_of_a_small_picture_is_an_error():
    with pytest.raises(ValueError, match="two blocks"):
        niqe(np.zeros((100, 191, 3), np.uint8))


def test_lpips_without_backbone_says_what_to_download(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(UserError, match=r"download https://download\.pytorch\.org/models/alexnet"):
        METRICS.build({"type": "mmsuper.LPIPS"})
    with pytest.raises(UserError, match="no backbone 'resnet'"):
        METRICS.build({"type": "mmsuper.LPIPS", "backbone": "resnet"})


def test_lpips_is_the_packages(monkeypatch, tmp_path, pair):
    import lpips
    import torchvision

    # Random weights in place of the published ones, which need a download.
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    torch.manual_seed(0)
    weights = torchvision.models.squeezenet1_1().state_dict()
    torch.save(weights, tmp_path / "hub" / "checkpoints" / "squeezenet1_1-b8a52dc0.pth")
    truth, prediction = np.tile(pair[0], (2, 2, 1)), np.tile(pair[1], (2, 2, 1))

    metric = METRICS.build({"type": "mmsuper.LPIPS", "backbone": "squeeze", "crop_border": 4})
    metric.process(None, [sample(truth, prediction), sample(truth, truth)])
    inner = np.s_[4:-4, 4:-4]
    a, b = (lpips.im2tensor(image[inner]) for image in (prediction, truth))
    expected = lpips.LPIPS(net="squeeze", verbose=False)(a, b).item() / 2
    assert expected > 0
    assert metric.evaluate(2)["LPIPS"] == pytest.approx(expected, rel=1e-4)


def test_through_an_editor_and_a_pipeline(tmp_path):
    """Colours and ranges survive the way from files to the metric."""
    from mmengine.dataset import Compose, pseudo_collate
    from mmengine.evaluator import Evaluator
    from mmengine.registry import init_default_scope
    from PIL import Image
    from torch import nn

    from mmsuper.compat import mmagic
    from mmsuper.registry import MODELS

    mmagic.apply()
    import mmagic.datasets
    import mmagic.models

    init_default_scope("mmagic")
    rng = np.random.default_rng(0)
    # Far from grey, so that exchanged channels would show.
    truth = rng.integers(0, 256, (24, 32, 3)) * np.array([1.0, 0.5, 0.1])
    low = (truth[::2, ::2]).astype(np.uint8)
    truth = truth.astype(np.uint8)
    paths = {"img_path": str(tmp_path / "low.png"), "gt_path": str(tmp_path / "high.png")}
    Image.fromarray(low).save(paths["img_path"])
    Image.fromarray(truth).save(paths["gt_path"])

    pipeline = Compose([{"type": "mmsuper.LoadPictures"}, {"type": "PackInputs"}])
    editor = MODELS.build(
        {
            "type": "BaseEditModel",
            "generator": {"type": nn.Upsample, "scale_factor": 2, "mode": "nearest"},
            "pixel_loss": {"type": "L1Loss"},
            "data_preprocessor": {
                "type": "DataPreprocessor",
                "mean": [0.0] * 3,
                "std": [255.0] * 3,
            },
        }
    )
    evaluator = Evaluator([{"type": "mmsuper.PSNR", "y_channel": True, "per_image": True}])
    outputs = editor.val_step(pseudo_collate([pipeline(dict(paths))]))
    evaluator.process(data_samples=outputs)
    result = evaluator.evaluate(1)

    enlarged = low.repeat(2, axis=0).repeat(2, axis=1)
    assert result["PSNR"] == pytest.approx(psnr(enlarged, truth, y_channel=True), abs=1e-9)
    assert result["PSNR_images"][0]["image"] == "high"
    # The test can tell: with exchanged channels the value is another.
    exchanged = psnr(enlarged[..., ::-1], truth[..., ::-1], y_channel=True)
    assert abs(result["PSNR"] - exchanged) > 0.1
