"""The verb export: a file that ONNX Runtime runs at any size, or none."""

import numpy as np
import onnxruntime
import pytest
import torch

from mmsuper import checkpoint
from mmsuper.analysis import network
from mmsuper.cli import main
from mmsuper.configuration import load

CONFIG = """
_base_ = 'mmsuper::svit/svit-sample_digits.py'
model = dict(
    backbone=dict(embed_dim=(8, 8, 16, 16), depths=(1, 1, 1, 1), num_heads=(1, 1, 2, 2)),
    neck=dict(in_channels=16, projection=12), head=dict(in_channels=12))
"""


@pytest.fixture
def trained(tmp_path):
    config = tmp_path / "tiny.py"
    config.write_text(CONFIG)
    torch.manual_seed(0)
    model = network.build(load(config))
    checkpoint.save(tmp_path / "tiny.safetensors", model.state_dict())
    return config, tmp_path / "tiny.safetensors", model


@pytest.mark.parametrize("fold", [(), ("--fold",)])
def test_runs_at_any_batch_and_size(tmp_path, trained, fold):
    config, weights, model = trained
    target = tmp_path / "out" / "tiny.onnx"
    assert main(["export", str(config), str(target), "--weights", str(weights), *fold]) == 0
    session = onnxruntime.InferenceSession(target)
    for shape in ((1, 3, 32, 32), (3, 3, 45, 70)):
        image = 255 * torch.rand(shape)
        (found,) = session.run(["scores"], {"image": image.numpy()})
        with torch.no_grad():
            expected = model((image - 127.5) / 127.5, mode="tensor")
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert [path.name for path in target.parent.iterdir()] == ["tiny.onnx"]


def test_a_file_that_computes_something_else_is_not_kept(tmp_path, trained, monkeypatch, capsys):
    config, weights, _ = trained
    monkeypatch.setattr("mmsuper.apis.export._difference", lambda *_: float("nan"))
    out = tmp_path / "out"
    code = main(["export", str(config), str(out / "a.onnx"), "--weights", str(weights)])
    assert code == 1
    assert "nothing written" in capsys.readouterr().err
    assert not list(out.iterdir())


def test_the_name_must_say_what_it_is(capsys):
    assert main(["export", "svit", "model.pt", "--weights", "w.pth"]) == 2
    assert "must end in .onnx" in capsys.readouterr().err
