"""Checkpoints are read without running code, loaded strictly, and written whole."""

import argparse
import os
import pickle

import pytest
import torch
from torch import nn

from mmsuper import checkpoint
from mmsuper.errors import UserError
from mmsuper.projects.dlgsanet.convert import to_official
from mmsuper.projects.dlgsanet.network import DLGSANet

SMALL = {"dim": 12, "groups": 1, "blocks": 1}


class Bomb:
    def __init__(self, target):
        self.target = str(target)

    def __reduce__(self):
        return os.mkdir, (self.target,)


class Editor(nn.Module):
    """A model that contains a project's network, as mmagic's editors do."""

    def __init__(self):
        super().__init__()
        self.generator = DLGSANet(**SMALL)
        self.register_buffer("step_counter", torch.tensor(0))


def same(one, other):
    return all(torch.equal(one[key], other[key]) for key in one) and one.keys() == other.keys()


@pytest.mark.parametrize("saved_by", [torch.save, lambda c, p: p.write_bytes(pickle.dumps(c))])
def test_a_pickle_bomb_is_refused_and_does_not_run(saved_by, tmp_path):
    saved_by({"state_dict": Bomb(tmp_path / "ran")}, tmp_path / "bomb.pth")
    with pytest.raises(UserError, match="allow-pickle"):
        checkpoint.read(tmp_path / "bomb.pth")
    assert not (tmp_path / "ran").exists()


def test_a_command_line_beside_the_weights_is_plain_data(tmp_path):
    content = {"model": {"w": torch.ones(2)}, "args": argparse.Namespace(lr=0.1, betas=(0.9, 0.99))}
    torch.save(content, tmp_path / "a.pth")
    found = checkpoint.read(tmp_path / "a.pth")
    assert found["args"] == content["args"]
    assert checkpoint.tensors(found).keys() == {"w"}
    assert argparse.Namespace not in torch.serialization.get_safe_globals()


def test_a_bomb_inside_a_command_line_is_refused_and_does_not_run(tmp_path):
    content = {"model": {"w": torch.ones(2)}, "args": argparse.Namespace(lr=Bomb(tmp_path / "ran"))}
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(UserError, match="allow-pickle"):
        checkpoint.read(tmp_path / "a.pth")
    assert not (tmp_path / "ran").exists()


def test_objects_are_read_on_request(tmp_path):
    torch.save({"weights": torch.ones(2), "other": Bomb(tmp_path / "ran")}, tmp_path / "a.pth")
    checkpoint.read(tmp_path / "a.pth", allow_pickle=True)
    assert (tmp_path / "ran").is_dir()


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_a_truncated_file_is_named(name, tmp_path):
    checkpoint.save(tmp_path / name, {"weight": torch.ones(1000)})
    whole = (tmp_path / name).read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        (tmp_path / name).write_bytes(whole[:length])
        with pytest.raises(UserError, match=rf"{name} is not a readable checkpoint"):
            checkpoint.read(tmp_path / name)


def test_a_missing_file_and_a_bare_tensor_are_named(tmp_path):
    with pytest.raises(UserError, match="no checkpoint at"):
        checkpoint.read(tmp_path / "none.pth")
    torch.save(torch.ones(1), tmp_path / "tensor.pth")
    with pytest.raises(UserError, match="holds a Tensor"):
        checkpoint.read(tmp_path / "tensor.pth")


def test_averaged_weights_come_first_and_others_on_request():
    content = {"params": {"w": torch.zeros(1)}, "params_ema": {"module.w": torch.ones(1)}}
    assert checkpoint.tensors(content)["w"] == 1
    assert checkpoint.tensors(content, "params")["w"] == 0
    with pytest.raises(UserError, match="no 'model', only 'params', 'params_ema'"):
        checkpoint.tensors(content, "model")
    with pytest.raises(UserError, match="no tensors"):
        checkpoint.tensors({"epoch": 3})


@pytest.mark.parametrize("model_type", [Editor, lambda: DLGSANet(**SMALL)])
@pytest.mark.parametrize("layout", ["authors", "network", "editor"])
def test_every_layout_loads_into_network_and_editor(model_type, layout, tmp_path):
    source = Editor()
    content = {
        "authors": {"params_ema": to_official(source.generator)},
        "network": source.generator.state_dict(),
        "editor": {"state_dict": source.state_dict(), "meta": {"iter": 1}},
    }[layout]
    torch.save(content, tmp_path / "a.pth")
    model = model_type()
    checkpoint.load_weights(model, tmp_path / "a.pth")
    network = getattr(model, "generator", model)
    assert same(network.state_dict(), source.generator.state_dict())


def test_weights_of_another_model_are_refused_and_change_nothing(tmp_path):
    model = Editor()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    others = {
        "deeper": DLGSANet(dim=12, groups=2, blocks=1).state_dict(),
        "wider": DLGSANet(dim=24, groups=1, blocks=1).state_dict(),
        "authors": to_official(DLGSANet(dim=24, groups=1, blocks=1)),
        "foreign": {"conv.weight": torch.ones(1)},
    }
    for name, state in others.items():
        torch.save(state, tmp_path / f"{name}.pth")
        with pytest.raises(UserError, match=f"{name}.pth"):
            checkpoint.load_weights(model, tmp_path / f"{name}.pth")
    assert same(model.state_dict(), before)


def test_saving_replaces_whole_files_only(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "a.pth"
    checkpoint.save(path, {"w": torch.zeros(1)}, {"paper": "x"})
    assert checkpoint.read(path) == {"params": {"w": torch.zeros(1)}, "paper": "x"}

    def full_disk(content, file):
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(path, {"w": torch.ones(1)})
    assert checkpoint.read(path)["params"]["w"] == 0
    assert [file.name for file in path.parent.iterdir()] == ["a.pth"]
