"""Meta's LLaMA checkpoints: into a model of transformers, and back."""

from pathlib import Path

import pytest
import torch

from mmsuper import checkpoint
from mmsuper.cli import main
from mmsuper.errors import UserError
from mmsuper.parity import Case
from mmsuper.projects.superposed_decoding.convert import (
    from_official,
    infer_arguments,
    is_official,
    to_official,
)

CASES = Path(__file__).parents[2] / "parity" / "cases" / "superposed_decoding"
GROUPED = Case(CASES / "llama_k2_eos", "superposed_decoding")


@pytest.fixture
def theirs():
    return GROUPED.weights()


def test_there_and_back_loses_nothing(theirs):
    model = from_official(theirs | {"rope.freqs": torch.zeros(4)}, n_heads=6)
    assert (model.config.num_attention_heads, model.config.num_key_value_heads) == (6, 2)
    assert not model.training
    back = to_official(model)
    assert back.keys() == theirs.keys()
    assert all(torch.equal(back[key], value) for key, value in theirs.items())


def test_what_tensors_tell(theirs):
    spec = GROUPED.spec["model"]
    assert is_official(theirs)
    assert not is_official(from_official(theirs, n_heads=6).state_dict())
    names = ("dim", "vocab_size", "n_layers", "ffn_hidden")
    assert infer_arguments(theirs) == {name: spec[name] for name in names}


def test_other_checkpoints_are_refused(theirs):
    with pytest.raises(UserError, match="say its n_heads"):
        from_official(theirs)
    with pytest.raises(UserError, match="not LLaMA weights"):
        from_official({"weight": torch.zeros(1)}, n_heads=6)
    del theirs["norm.weight"]
    theirs["layers.0.attention.bias.weight"] = torch.zeros(1)
    expected = r"1 tensors are missing \['model.norm.weight'\] and 1 unknown \['layers.0.att"
    with pytest.raises(UserError, match=expected):
        from_official(theirs, n_heads=6)


def test_the_convert_verb_writes_a_model_of_transformers(theirs, tmp_path, capsys):
    source, target = tmp_path / "consolidated.00.pth", tmp_path / "model.safetensors"
    torch.save(theirs, source)
    arguments = ["convert", str(source), str(target), "--network", "n_heads=6"]
    assert main(arguments) == 0
    assert "superposed_decoding: dim=48, vocab_size=160" in capsys.readouterr().out
    written = checkpoint.read(target)
    for name, value in from_official(theirs, n_heads=6).state_dict().items():
        assert torch.equal(written[name], value)
