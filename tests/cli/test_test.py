"""The verb test: the metrics it gives, what each flag changes, and what it refuses."""

import json
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from tiny_training import write_config

from mmsuper.cli import main


def run(*words):
    return main(list(map(str, words)))


@pytest.fixture(autouse=True)
def in_own_folder(tmp_path, monkeypatch):
    # Several threads wait for each other at length when the machine is busy.
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Config and work dir of a finished training with averaged weights."""
    folder = tmp_path_factory.mktemp("trained")
    config = write_config(folder, "custom_hooks = [dict(type='EMAHook')]")
    assert run("train", config, "--work-dir", folder / "run") == 0
    return config, folder / "run"


def metrics(work_dir, stage):
    return json.loads((Path(work_dir) / "metrics.json").read_text())[stage]


def test_gives_what_validation_gave(trained, capsys):
    config, work_dir = trained
    assert run("test", config, work_dir / "iter_12.pth") == 0
    found = metrics(f"work_dirs/{config.stem}/test", "test")
    assert found == {"error": metrics(work_dir, "val")["error"]}
    assert f"{found['error']:.4f}" in capsys.readouterr().out
    names = {path.name for path in Path("work_dirs", config.stem, "test").iterdir()}
    assert names == {"config.py", "manifest.json", "metrics.json", "log"}


def test_out_json(trained):
    config, work_dir = trained
    assert run("test", config, work_dir / "iter_12.pth", "--out", "found.json") == 0
    assert json.loads(Path("found.json").read_text()) == {
        "error": metrics(work_dir, "val")["error"]
    }


def test_out_pickle(trained):
    config, work_dir = trained
    assert run("test", config, work_dir / "iter_12.pth", "--out", "found.pkl") == 0
    predictions = pickle.loads(Path("found.pkl").read_bytes())
    assert [one["number"] for one in predictions] == [0, 1, 2, 3, 4]
    errors = [float((one["prediction"] - one["y"]).abs()) for one in predictions]
    assert np.mean(errors) == pytest.approx(metrics(work_dir, "val")["error"])


def test_cfg_options(trained):
    config, work_dir = trained
    options = ("--cfg-options", "test_dataloader.dataset.size=1")
    assert run("test", config, work_dir / "iter_12.pth", *options, "--work-dir", "one") == 0
    assert metrics("one", "test") != metrics(work_dir, "val")


def test_flexible_runner(trained, tmp_path):
    config = write_config(tmp_path, "runner_type = 'FlexibleRunner'")
    assert run("test", config, trained[1] / "iter_12.pth", "--work-dir", "flexible") == 0
    assert metrics("flexible", "test")["error"] == metrics(trained[1], "val")["error"]


class Bomb:
    def __reduce__(self):
        return Path.touch, (Path("exploded"),)


@pytest.mark.parametrize("flexible", [False, True])
def test_pickle_bomb_is_refused(tmp_path, capsys, flexible):
    torch.save({"state_dict": Bomb()}, "bomb.pth")
    line = "runner_type = 'FlexibleRunner'" if flexible else ""
    assert run("test", write_config(tmp_path, line), "bomb.pth") == 2
    assert "can run code" in capsys.readouterr().err
    assert not Path("exploded").exists()


def test_mistakes(trained, tmp_path, capsys, monkeypatch):
    config, work_dir = trained
    checkpoint = work_dir / "iter_12.pth"
    torch.save({"state_dict": {"net.0.weight": torch.zeros(16, 4)}}, "other.pth")
    monkeypatch.delenv("RANK", raising=False)
    for words, message in [
        ((config, "nowhere.pth"), "no checkpoint at nowhere.pth"),
        ((config, "other.pth"), "other.pth is of another model"),
        ((config, checkpoint, "--out", "found.txt"), ".pkl"),
        ((config, checkpoint, "--tta"), "tta_model"),
        ((config, checkpoint, "--launcher", "pytorch"), "torchrun"),
        ((write_config(tmp_path, "test_cfg = None"), checkpoint), "no test set"),
    ]:
        assert run("test", *words) == 2
        assert message in capsys.readouterr().err.strip().splitlines()[-1]


RESTORATION = """
_base_ = ['mmsuper::_base_/runtime/default.py']
default_scope = 'mmagic'
model = dict(
    type='BaseEditModel',
    generator=dict(
        type='mmsuper.DLGSANet', upscale=2, dim=12, groups=1, blocks=1, window_size=3,
        idynamic_num_heads=2),
    pixel_loss=dict(type='L1Loss', loss_weight=1.0, reduction='mean'),
    data_preprocessor=dict(type='DataPreprocessor', mean=[0., 0., 0.], std=[255., 255., 255.]))
load_pair = [
    dict(type='LoadImageFromFile', key='img', channel_order='rgb'),
    dict(type='LoadImageFromFile', key='gt', channel_order='rgb'),
    dict(type='PackInputs')]
pictures = dict(
    batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='BasicImageDataset', data_root='pictures', data_prefix=dict(img='LR', gt='HR'),
        pipeline=load_pair))
"""
SEVERAL = """
test_dataloader = [pictures, pictures]
test_evaluator = [
    [dict(type='mmsuper.PSNR', crop_border=2, prefix='first')],
    [dict(type='mmsuper.PSNR', crop_border=4, prefix='second')]]
test_cfg = dict(type='mmsuper.MultiTestLoop')
tta_model = dict(type='mmsuper.SelfEnsemble')
"""
FOREIGN_LOOP = """
test_dataloader = pictures
test_evaluator = [dict(type='PSNR', crop_border=2, prefix='first')]
test_cfg = dict(type='MultiTestLoop')
"""


@pytest.fixture
def restoration(tmp_path):
    """Pairs of pictures, a config of mmagic's scope, and an authors' checkpoint for it."""
    numbers = np.random.default_rng(0)
    for name in ("a", "b"):
        picture = cv2.resize(numbers.integers(0, 256, (6, 5, 3), dtype=np.uint8), (40, 48))
        for folder, image in (("HR", picture), ("LR", cv2.resize(picture, (20, 24)))):
            (tmp_path / "pictures" / folder).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(tmp_path / "pictures" / folder / f"{name}.png"), image)
    return tmp_path


@pytest.mark.slow
def test_restoration_with_an_authors_checkpoint(restoration, capsys):
    from mmsuper import configuration

    config = restoration / "several.py"
    config.write_text(RESTORATION + SEVERAL)
    from mmengine.registry import MODELS

    from mmsuper.projects.dlgsanet import convert

    network = MODELS.build(configuration.load(config).model.generator)
    torch.manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    torch.save({"params": convert.to_official(network)}, "authors.pth")

    assert run("test", config, "authors.pth", "--work-dir", "plain", "--show-dir", "shown") == 0
    plain = metrics("plain", "test")
    assert set(plain) == {"first/PSNR", "second/PSNR"}

    # The pictures shown are the network's own output.
    picture = cv2.imread("pictures/LR/a.png")[..., ::-1].copy()
    inputs = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        output = network.eval()(inputs)[0].clamp(0, 1).mul(255).round().byte()
    shown = torch.from_numpy(cv2.imread("shown/a.png")[..., ::-1].copy()).permute(2, 0, 1)
    assert (shown.int() - output.int()).abs().max() <= 1
    assert sorted(path.name for path in Path("shown").iterdir()) == ["a.png", "b.png"]

    assert run("test", config, "authors.pth", "--work-dir", "tta", "--tta") == 0
    assert metrics("tta", "test") != plain

    # mmagic's own loop returns nothing; its metrics are found all the same.
    config.write_text(RESTORATION + FOREIGN_LOOP)
    assert run("test", config, "authors.pth", "--work-dir", "foreign") == 0
    # Its PSNR does not round to 8 bit first.
    assert metrics("foreign", "test")["first/PSNR"] == pytest.approx(plain["first/PSNR"], abs=0.05)
