"""The authors' SViT checkpoints: into a classifier, into a backbone, and back."""

import json
from argparse import Namespace
from pathlib import Path

import pytest
import torch

from mmsuper import checkpoint
from mmsuper.errors import UserError
from mmsuper.parity import Case
from mmsuper.projects.svit.convert import (
    from_official,
    infer_arguments,
    is_official,
    load_official,
    network_of,
    to_official,
)
from mmsuper.projects.svit.network import SViT, SViTClassifier

CASES = Path(__file__).parents[2] / "parity" / "cases" / "svit"
TINY = Case(CASES / "tiny_niter_96x80", "svit")
TOLD = {"num_heads": (1, 2, 3, 4), "n_iter": (3, 2, 1, 1), "stoken_size": (8, 4, 2, 1)}


@pytest.fixture
def theirs():
    return TINY.weights()


def backbone(**others):
    arguments = {name: TINY.spec["network"][name] for name in ("embed_dim", "depths", "layerscale")}
    return SViT(**arguments, **TOLD, **others)


def test_there_and_back_loses_nothing(theirs):
    back = to_official(from_official(theirs, **TOLD))
    layout = json.loads((TINY.folder / "layout.json").read_text())
    assert {key: list(value.shape) for key, value in back.items()} == {
        key: entry["shape"] for key, entry in layout.items()
    }
    assert all(torch.equal(back[key], value) for key, value in theirs.items())
    kernel = back["layers.2.blocks.1.attn.fold.weights"]
    assert torch.equal(kernel.flatten(1), torch.eye(9))


def test_tensors_tell_the_arguments(theirs):
    network = TINY.spec["network"]
    for name, value in infer_arguments(theirs).items():
        assert value == network[name], name


def test_heads_of_released_variants_are_known():
    weights = Case(CASES / "stvit_s_pad_100x76", "svit").weights()
    heads = [
        stage[0].attention.refine.num_heads for stage in from_official(weights).backbone.stages
    ]
    assert heads == [1, 2, 5, 8]


def test_every_wrapper_of_a_training_script(tmp_path, theirs):
    path = tmp_path / "stvit.pth"
    prefixed = {f"module.{key}": value for key, value in theirs.items()}
    torch.save({"model": prefixed, "model_ema": {}, "args": Namespace(lr=1.0), "epoch": 3}, path)
    model = SViTClassifier(backbone(out_indices=(3,)), 64, 10)
    checkpoint.load_weights(model, path)
    assert torch.equal(model.head.fc.weight, theirs["head.weight"])
    assert torch.equal(model.neck.proj.weight, theirs["proj.weight"].flatten(1))


@pytest.mark.parametrize("ours", [False, True])
def test_pretrained_backbone_for_dense_heads(tmp_path, theirs, ours):
    path = tmp_path / "weights.pth"
    classifier = from_official(theirs, **TOLD)
    torch.save(classifier.state_dict() if ours else {"model": theirs}, path)
    model = backbone(out_norm=True, init_cfg={"type": "Pretrained", "checkpoint": str(path)})
    model.init_weights()
    for key, value in classifier.backbone.state_dict().items():
        assert torch.equal(model.state_dict()[key], value), key
    assert all(
        torch.equal(norm.weight, torch.ones_like(norm.weight)) for norm in model.out_norms.values()
    )


def test_a_wrong_init_cfg_is_refused():
    with pytest.raises(UserError, match="Pretrained"):
        backbone(init_cfg={"type": "Kaiming"}).init_weights()


def test_what_is_published_of_a_model(theirs):
    classifier = from_official(theirs, **TOLD)
    assert network_of(classifier) is classifier
    detector = torch.nn.ModuleDict({"backbone": backbone(), "neck": torch.nn.Conv2d(1, 1, 1)})
    load_official(detector, theirs)
    assert network_of(detector) is detector["backbone"]
    assert set(to_official(detector)) == {
        key for key in to_official(classifier) if not key.startswith(("proj", "norm", "head"))
    }


def test_contradictions_are_named(theirs):
    with pytest.raises(UserError, match="depths"):
        from_official(theirs, **TOLD, depths=[2, 1, 2, 2])
    with pytest.raises(UserError, match="num_heads"):
        from_official(theirs)
    with pytest.raises(UserError, match="not SViT"):
        from_official({"conv.weight": torch.zeros(1)})
    assert not is_official({"conv.weight": torch.zeros(1)})
    model = from_official(theirs, **TOLD)
    with pytest.raises(UserError, match=r"1 tensors are missing .*'norm.weight'"):
        load_official(model, {key: value for key, value in theirs.items() if key != "norm.weight"})
    with pytest.raises(UserError, match=r"1 unknown .*'extra'"):
        load_official(model, {**theirs, "extra": torch.zeros(1)})
    with pytest.raises(UserError, match=r"head.weight is"):
        load_official(model, {**theirs, "head.weight": torch.zeros(3, 64)})
