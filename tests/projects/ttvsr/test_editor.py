"""TTVSR in MMEngine: its loss, predictions, frozen flow, and a training that is interrupted."""

import json
from pathlib import Path

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import MessageHub
from mmengine.registry import MODELS, DefaultScope, init_default_scope
from skimage.io import imread

from mmsuper import configuration
from mmsuper.cli import main
from mmsuper.data import samples
from mmsuper.data.samples import restoration
from mmsuper.evaluation.functional import psnr
from mmsuper.paths import payload_root
from mmsuper.projects.ttvsr.convert import to_official
from mmsuper.projects.ttvsr.editor import middle, mirrored_twice
from mmsuper.projects.ttvsr.network import TTVSR

SAMPLE = payload_root() / "configs/ttvsr/ttvsr-tiny_x4_sample.py"
TINY = {"mid_channels": 4, "num_blocks": 1}


@pytest.fixture(scope="module")
def build():
    """A function that builds the sample config's model, with fewer channels."""
    config = configuration.load(SAMPLE).model
    config.generator.update(TINY, flow_init_cfg=None)

    def build(**options):
        torch.manual_seed(0)
        return MODELS.build(ConfigDict({**config, **options}))

    init_default_scope("mmagic")
    yield build
    DefaultScope.get_instance("after-editor", scope_name="mmengine")


def batch(frames, truth_frames=None, size=64):
    """What a data loader gives: one clip of noise in 0 to 255, and its truth."""
    from mmagic.structures import DataSample

    truth = torch.randint(256, (truth_frames or frames, 3, 4 * size, 4 * size))
    truth = truth if truth_frames != 0 else truth[0]
    order = {"img_channel_order": "rgb", "gt_channel_order": "rgb"}
    sample = DataSample(gt_img=truth.float(), metainfo=order)
    return {
        "inputs": [torch.randint(256, (frames, 3, size, size)).float()],
        "data_samples": [sample],
    }


def test_loss_is_charbonnier_s(build):
    model = build(frame_by_frame=True)
    data = model.data_preprocessor(batch(2), training=True)
    loss = model(**data, mode="loss")["loss"]
    error = model(**data) - data["data_samples"].gt_img
    assert data["inputs"].max() <= 1
    torch.testing.assert_close(loss, error.square().add(1e-12).sqrt().mean())


def test_a_prediction_is_the_whole_clip_in_8_bit_range(build):
    model = build().eval()
    data = batch(3)
    (sample,) = model.test_step(data)
    with torch.inference_mode():
        expected = 255 * model(data["inputs"][0][None] / 255)[0].flip(1)  # BGR
    predicted = sample.output.pred_img
    torch.testing.assert_close(predicted, expected.clamp(0, 255), rtol=0, atol=2e-3)
    assert predicted.shape == sample.gt_img.shape


def test_one_frame_at_a_time_knows_nothing_of_others(build):
    model = build(frame_by_frame=True).eval()
    clip = torch.rand(1, 2, 3, 64, 64)
    with torch.inference_mode():
        both = model(clip)
        torch.testing.assert_close(both[:, :1], model(clip[:, :1]))
        (sample,) = model.test_step({**batch(2), "inputs": [255 * clip[0]]})
    expected = (255 * both[0].flip(1)).clamp(0, 255)
    torch.testing.assert_close(sample.output.pred_img, expected, rtol=0, atol=2e-3)


def test_the_middle_frame_of_a_mirrored_clip_is_there_four_times():
    clip = torch.arange(7.0).view(1, 7, 1, 1, 1)
    clip = torch.cat([clip, clip.flip(1)], dim=1)
    assert not mirrored_twice(clip)
    clip = torch.cat([clip, clip.flip(1)], dim=1)
    assert mirrored_twice(clip)
    assert clip.flatten()[[3, 10, 17, 24]].tolist() == [3, 3, 3, 3]
    outputs = torch.zeros(28)
    outputs[[3, 10, 17, 24]] = torch.tensor([1.0, 2, 3, 6])
    assert middle(outputs.view(1, 28, 1, 1, 1), True).item() == 3
    assert middle(torch.arange(7.0).view(1, 7, 1, 1, 1), False).item() == 3


def test_where_the_truth_is_one_picture_so_is_the_prediction(build, monkeypatch):
    model = build().eval()
    frames = torch.arange(28.0).view(28, 1, 1, 1, 1).expand(-1, 1, 3, 8, 8) / 255
    monkeypatch.setattr("mmsuper.projects.ttvsr.editor.stored", lambda network, clip: iter(frames))
    data = batch(7, 1, size=2)
    data["data_samples"][0].gt_img = data["data_samples"][0].gt_img[0]
    clip = torch.cat([data["inputs"][0], data["inputs"][0].flip(0)])
    data["inputs"] = [torch.cat([clip, clip.flip(0)])]
    (sample,) = model.test_step(data)
    expected = torch.full((3, 8, 8), (3 + 10 + 17 + 24) / 4)
    torch.testing.assert_close(sample.output.pred_img, expected)


def test_flow_learns_from_its_iteration_on(build):
    model = build(fix_iter=3, frame_by_frame=True)
    data = model.data_preprocessor(batch(1), training=True)
    hub = MessageHub.get_current_instance()
    for iteration, learns in ((0, False), (2, False), (3, True), (4, True)):
        hub.update_info("iter", iteration)
        model(**data, mode="loss")
        assert {p.requires_grad for p in model.generator.spynet.parameters()} == {learns}
        assert all(p.requires_grad for p in model.generator.trunk.parameters())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with one sample clip for training and one for validation, of four frames."""
    folder = tmp_path_factory.mktemp("sample")
    with pytest.MonkeyPatch.context() as patch:
        one = {split: dict([*clips.items()][:1]) for split, clips in restoration.CLIPS.items()}
        patch.setattr(restoration, "CLIPS", one)
        patch.setattr(restoration, "CLIP_FRAMES", 4)
        samples.make(folder / "data/samples", ["clips"])
    return folder


def test_interrupted_and_resumed_equals_undisturbed(folder, monkeypatch):
    """Flow begins to learn after the interruption; what is measured is in the metrics."""
    monkeypatch.chdir(folder)
    options = ["train_cfg.max_iters=4", "default_hooks.checkpoint.interval=2"]
    options += ["train_dataloader.batch_size=1", "train_dataloader.dataset.num_input_frames=2"]
    options += [f"model.generator.{key}={value}" for key, value in TINY.items()]
    options += ["model.fix_iter=3", "default_hooks.checkpoint.max_keep_ckpts=-1"]
    words = [str(SAMPLE), "--no-validate", "--cfg-options", *options]
    assert main(["train", "--work-dir", "run", *words]) == 0
    whole = torch.load("run/iter_4.pth", weights_only=True)
    half = torch.load("run/iter_2.pth", weights_only=True)["state_dict"]
    for name in ("iter_4.pth", "last_checkpoint"):
        (folder / "run" / name).unlink()
    assert main(["train", "--work-dir", "run", "--resume=auto", *words]) == 0
    again = torch.load("run/iter_4.pth", weights_only=True)
    for key, value in whole["state_dict"].items():
        assert torch.equal(value, again["state_dict"][key]), key
        if "spynet.levels.5.0" in key:
            assert not torch.equal(value, half[key])


def test_test_takes_the_authors_file_and_says_psnr_by_clip(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    torch.manual_seed(0)
    network = TTVSR(**TINY)
    theirs = {**to_official(network), "step_counter": torch.zeros(1)}
    torch.save({"state_dict": theirs, "meta": {}}, "authors.pth")
    options = [f"model.generator.{key}={value}" for key, value in TINY.items()]
    words = ["test", str(SAMPLE), "authors.pth", "--show-dir", "shown", "--cfg-options", *options]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "PSNR" in printed and "000" in printed

    # The frames shown are those that were measured, in the order of the truth's colours.
    shown = sorted(Path("shown/000").iterdir())
    truth = [Path("data/samples/clips/val/HR/000", path.name) for path in shown]
    values = [psnr(imread(a), imread(b)) for a, b in zip(shown, truth, strict=True)]
    assert len(shown) == 4
    (metrics,) = Path("work_dirs").glob("*/test/metrics.json")
    measured = json.loads(metrics.read_text())["test"]["PSNR"]
    assert measured == pytest.approx(sum(values) / 4, abs=1e-3)
