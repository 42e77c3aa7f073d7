"""Authors' TTVSR checkpoints: recognised, read, loaded strictly, and written back."""

from pathlib import Path

import pytest
import torch
from torch import nn

from mmsuper import checkpoint
from mmsuper.errors import UserError
from mmsuper.parity import fill
from mmsuper.projects.ttvsr.convert import (
    from_official,
    infer_arguments,
    is_official,
    load_official,
    official_names,
    to_official,
)
from mmsuper.projects.ttvsr.network import TTVSR, SPyNet

CASES = Path(__file__).parents[2] / "parity" / "cases" / "ttvsr"
SMALL = {"mid_channels": 4, "num_blocks": 2}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_there_and_back():
    model = TTVSR(**SMALL, frame_stride=2)
    theirs = to_official(model)
    assert is_official(theirs)
    assert not is_official(model.state_dict())
    again = from_official(theirs, frame_stride=2)
    assert equal(again.state_dict(), model.state_dict())
    assert equal(to_official(again), theirs)
    assert (again.training, again.frame_stride) == (False, 2)


def test_names_and_shapes_are_those_of_the_release():
    layout = fill.load_layout(CASES / "blocks2_8frames_64x64" / "layout.json")
    with torch.device("meta"):
        theirs = to_official(TTVSR(num_blocks=2))
    assert {key: list(value.shape) for key, value in theirs.items()} == {
        f"generator.{key}": entry["shape"] for key, entry in layout.items()
    }


@pytest.mark.parametrize("arguments", [SMALL, {"mid_channels": 8, "num_blocks": 1}], ids=str)
def test_shapes_tell_the_arguments(arguments):
    assert infer_arguments(to_official(TTVSR(**arguments))) == arguments


def test_a_published_file_loads_into_any_model_that_contains_the_network(tmp_path):
    """With the prefix of their restorer, its counter, and what training left beside it."""
    theirs = to_official(TTVSR(**SMALL))
    content = {"state_dict": {**theirs, "step_counter": torch.ones(1)}, "meta": {}, "optimizer": {}}
    torch.save(content, tmp_path / "published.pth")
    editor = nn.ModuleDict({"generator": TTVSR(**SMALL)})
    checkpoint.load_weights(editor, tmp_path / "published.pth")
    assert equal(to_official(editor["generator"]), theirs)


def test_contradictions_are_named():
    with pytest.raises(UserError, match="num_blocks is 2, not 60"):
        from_official(to_official(TTVSR(**SMALL)), num_blocks=60)


def test_missing_unknown_and_misshapen_tensors_are_named():
    model = TTVSR(**SMALL)
    theirs = {theirs: model.state_dict()[ours] for ours, theirs in official_names(model).items()}
    with pytest.raises(UserError, match=r"1 tensors are missing.*conv_hr.bias"):
        load_official(model, {k: v for k, v in theirs.items() if k != "conv_hr.bias"})
    with pytest.raises(UserError, match=r"1 unknown.*extra"):
        load_official(model, {**theirs, "extra": torch.zeros(1)})
    with pytest.raises(UserError, match=r"conv_hr.bias is \(7,\)"):
        load_official(model, {**theirs, "conv_hr.bias": torch.zeros(7)})
    with pytest.raises(UserError, match="not TTVSR"):
        from_official({"conv.weight": torch.zeros(1)})


def test_a_flow_network_alone_is_no_ttvsr():
    flow = SPyNet()
    alone = {theirs: flow.state_dict()[ours] for ours, theirs in official_names(flow).items()}
    assert is_official(alone)
    with pytest.raises(UserError, match="not TTVSR"):
        from_official(alone)
    with pytest.raises(UserError, match="another TTVSR"):
        load_official(TTVSR(**SMALL), alone)
    other = SPyNet()
    load_official(nn.Sequential(other), alone)
    assert equal(other.state_dict(), flow.state_dict())
    with pytest.raises(UserError, match="contains no TTVSR"):
        load_official(nn.Linear(1, 1), alone)
