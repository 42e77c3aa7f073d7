"""``convert``: authors' file to ours and back without loss."""

import pytest
import torch

from mmsuper import checkpoint
from mmsuper.cli import main
from mmsuper.projects.dlgsanet.convert import to_official
from mmsuper.projects.dlgsanet.network import DLGSANet

SMALL = {"upscale": 2, "dim": 12, "groups": 1, "blocks": 1}
CONFIG = f"""
default_scope = 'mmagic'
model = dict(type='BaseEditModel', generator=dict(type='mmsuper.DLGSANet', **{SMALL!r}),
             pixel_loss=dict(type='L1Loss'), data_preprocessor=dict(type='DataPreprocessor'))
"""


@pytest.fixture
def theirs(tmp_path):
    states = {name: to_official(DLGSANet(**SMALL)) for name in ("params", "params_ema")}
    torch.save(states, tmp_path / "theirs.pth")
    return states


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_there_and_back_loses_nothing(theirs, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["convert", "theirs.pth", "ours.safetensors"]) == 0
    assert "dlgsanet: dim=12" in capsys.readouterr().out
    (tmp_path / "config.py").write_text(CONFIG)
    back = ["convert", "ours.safetensors", "again.pth", "--to-authors", "--config", "config.py"]
    assert main(back) == 0
    assert equal(checkpoint.read("again.pth")["params"], theirs["params_ema"])


def test_a_training_checkpoint_is_published_as_its_network_alone(theirs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.py").write_text(CONFIG)
    network = DLGSANet(**SMALL)
    trained = {f"generator.{key}": value for key, value in network.state_dict().items()}
    torch.save({"state_dict": trained, "optimizer": {}}, "iter_9.pth")
    assert main(["convert", "iter_9.pth", "out.safetensors", "--config", "config.py"]) == 0
    assert equal(checkpoint.read("out.safetensors"), network.state_dict())


def test_half_precision_is_read_into_full(theirs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.py").write_text(CONFIG)
    words = ["--half", "--config", "config.py"]
    network = DLGSANet(**SMALL)
    torch.save({"params": network.state_dict()}, "ours.pth")
    assert main(["convert", "ours.pth", "half.safetensors", *words]) == 0
    again = DLGSANet(**SMALL)
    checkpoint.load_weights(again, "half.safetensors")
    for name, value in network.state_dict().items():
        assert again.state_dict()[name].dtype == value.dtype
        expected = value.half().to(value.dtype) if value.is_floating_point() else value
        assert torch.equal(again.state_dict()[name], expected), name


def test_raw_weights_on_request(theirs, tmp_path):
    out = tmp_path / "ours.safetensors"
    assert main(["convert", str(tmp_path / "theirs.pth"), str(out), "--weights", "params"]) == 0
    embed = checkpoint.read(out)["embed.weight"]
    assert torch.equal(embed, theirs["params"]["overlap_embed.0.proj.weight"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["theirs.pth", "ours.onnx"], "must end in"),
        (["none.pth", "ours.pth"], "no checkpoint at"),
        (["theirs.pth", "ours.pth", "--to-authors"], "needs --config"),
        (["theirs.pth", "ours.pth", "--network", "upscale=4"], "upscale is 2, not 4"),
        (["theirs.pth", "ours.pth", "--weights", "model"], "no 'model'"),
    ],
)
def test_bad_usage_is_one_sentence_and_writes_nothing(
    words, says, theirs, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert main(["convert", *words]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["theirs.pth"]


def test_foreign_weights_are_refused(tmp_path, capsys):
    torch.save({"conv.weight": torch.ones(1)}, tmp_path / "foreign.pth")
    assert main(["convert", str(tmp_path / "foreign.pth"), str(tmp_path / "ours.pth")]) == 2
    assert "layout of none of the papers" in capsys.readouterr().err
