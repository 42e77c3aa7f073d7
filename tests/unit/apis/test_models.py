"""The model list, read from metafiles."""

import pytest

from mmsuper.apis import models
from mmsuper.errors import UserError

INDEX = "Import:\n  - configs/alpha/metafile.yml\n  - configs/beta/metafile.yml\n"
ALPHA = """
Collections:
- Name: AlphaNet
  Alias: AN
  Paper: {Title: 'Alpha: A Network', URL: 'https://example.org'}
  Task: [Image Super-Resolution]
Models:
- Name: alpha-big_x2
  In Collection: AlphaNet
  Config: configs/alpha/alpha-big_x2.py
  Metadata: {Parameters: 1000, FLOPs: 5000, Source: paper}
  Results:
  - {Task: Image Super-Resolution, Dataset: Set5, Metrics: {PSNR: 30.5, SSIM: 0.9}}
  - {Task: Image Super-Resolution, Dataset: Set14, Metrics: {PSNR: 28.5}}
  Weights: https://example.org/alpha.pth
- Name: alpha-tiny_x2
  In Collection: AlphaNet
  Config: configs/alpha/alpha-tiny_x2.py
  Metadata: {Source: mmsuper}
  Weights: demo/weights/alpha-tiny.safetensors
- Name: alpha-lost_x2
  In Collection: AlphaNet
  Config: configs/alpha/alpha-lost_x2.py
  Weights: demo/weights/not-there.safetensors
"""
BETA = """
Collections:
- Name: BetaNet
Models:
- Name: beta-base
  In Collection: BetaNet
  Config: configs/beta/beta-base.py
"""


@pytest.fixture
def payload(tmp_path, monkeypatch):
    for path, text in {
        "model-index.yml": INDEX,
        "configs/alpha/metafile.yml": ALPHA,
        "configs/beta/metafile.yml": BETA,
        "demo/weights/alpha-tiny.safetensors": "",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    monkeypatch.setattr(models, "payload_root", lambda: tmp_path)
    return tmp_path


def names(pattern="*"):
    return [model.name for model in models.list_models(pattern)]


def test_a_model_has_what_its_metafile_says(payload):
    model = models.find_model("alpha-big_x2")
    assert model.paper == "Alpha: A Network"
    assert model.project == "alpha"
    assert model.task == "Image Super-Resolution"
    assert model.config == payload / "configs/alpha/alpha-big_x2.py"
    assert (model.params, model.flops, model.source) == (1000, 5000, "paper")
    assert model.metrics == {"Set5": {"PSNR": 30.5, "SSIM": 0.9}, "Set14": {"PSNR": 28.5}}
    assert model.weights is None
    assert model.url == "https://example.org/alpha.pth"


def test_a_bundled_checkpoint_counts_only_if_it_is_there(payload):
    assert models.find_model("alpha-tiny_x2").weights == (
        payload / "demo/weights/alpha-tiny.safetensors"
    )
    assert models.find_model("alpha-lost_x2").weights is None


@pytest.mark.parametrize("name", ["alpha", "AlphaNet", "ALPHA", "an"])
def test_a_paper_means_its_first_model_with_a_checkpoint(payload, name):
    assert models.find_model(name).name == "alpha-tiny_x2"


def test_a_paper_without_checkpoints_means_its_first_model(payload):
    assert models.find_model("beta").name == "beta-base"


def test_patterns(payload):
    assert len(names()) == 4
    assert names("*_x2") == ["alpha-big_x2", "alpha-tiny_x2", "alpha-lost_x2"]
    assert names("tiny") == ["alpha-tiny_x2"]
    assert names("beta*") == ["beta-base"]
    assert names("nothing") == []


def test_an_unknown_name_names_the_nearest(payload):
    with pytest.raises(UserError, match=r"did you mean .*alpha-tiny_x2"):
        models.find_model("alpha-tny_x2")


def test_a_project_without_a_module_is_nothing_for_the_command_that_wants_it():
    found = models.project_module("dlgsanet", "convert")
    assert found.__name__ == "mmsuper.projects.dlgsanet.convert"
    with pytest.raises(UserError, match=r"dlgsanet is nothing for this command: .* 'server'"):
        models.project_module("dlgsanet", "server")


def test_a_missing_metafile_is_an_error(payload):
    (payload / "configs/beta/metafile.yml").unlink()
    with pytest.raises(UserError, match=r"beta/metafile\.yml is missing"):
        names()


def test_an_unknown_collection_is_an_error(payload):
    path = payload / "configs/beta/metafile.yml"
    path.write_text(BETA.replace("- Name: BetaNet", "- Name: GammaNet"))
    with pytest.raises(UserError, match="beta-base is in 'BetaNet'"):
        names()
