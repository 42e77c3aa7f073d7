"""Every config and every metafile of the repository."""

import collections
import re

import pytest
import torch
import yaml
from mmengine.config import Config

from mmsuper import configuration
from mmsuper.analysis import network
from mmsuper.apis import list_models
from mmsuper.paths import payload_root

ROOT = payload_root()
CONFIGS = sorted((ROOT / "configs").glob("[!_]*/*.py"))
METAFILES = sorted((ROOT / "configs").glob("*/metafile.yml"))
MODELS = list_models()


def relative(path):
    return str(path.relative_to(ROOT))


def plain(config):
    return Config(config.to_dict()).pretty_text


@pytest.mark.parametrize("path", CONFIGS, ids=relative)
def test_config_loads_and_its_dump_reads_the_same(path, tmp_path):
    config = configuration.load(path)
    dumped = tmp_path / path.name
    config.dump(dumped)
    assert plain(configuration.read(dumped)) == plain(config)


@pytest.mark.parametrize("path", CONFIGS, ids=relative)
def test_model_builds_with_the_parameters_its_metafile_states(path):
    model = network.build(configuration.load(path))
    root, _ = network.as_function(model)
    stated = {m.params for m in MODELS if m.config == path and m.params}
    assert stated <= {sum(p.numel() for p in root.parameters())}
    assert all(p.device == torch.device("cpu") for p in root.parameters())


@pytest.mark.parametrize("path", CONFIGS, ids=relative)
def test_variants_state_only_what_differs(path):
    assert len(path.read_text().splitlines()) <= 25


def test_every_config_is_in_a_metafile_and_the_other_way_round():
    assert sorted(model.config for model in MODELS) == CONFIGS


def test_base_names_are_unique_for_mim():
    files = [*(ROOT / "configs").rglob("*.py"), *(ROOT / "mmsuper").rglob("*.py")]
    counts = collections.Counter(file.name for file in files if file.name != "__init__.py")
    shared = {n: c for n, c in counts.items() if c > 1}
    assert not {path.name for path in CONFIGS} & set(shared)


@pytest.mark.parametrize("path", METAFILES, ids=relative)
def test_metafile_is_listed_and_whole(path):
    index = yaml.safe_load((ROOT / "model-index.yml").read_text())
    assert relative(path) in index["Import"]
    content = yaml.safe_load(path.read_text())
    for collection in content["Collections"]:
        assert collection["Paper"]["Title"]
        assert (ROOT / collection["README"]).is_file()
    for model in content["Models"]:
        assert (ROOT / model["Config"]).is_file()
        assert model["Name"] == (ROOT / model["Config"]).stem
        assert model["Metadata"]["Source"] in ("paper", "mmsuper")
        weights = model.get("Weights")
        assert weights is None or "://" in weights or (ROOT / weights).is_file()


def _readme_rows():
    """``(README, model, row)`` of every table row that starts with a model's name."""
    for readme in sorted((ROOT / "projects").glob("*/README.md")):
        for line in readme.read_text().splitlines():
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            found = re.match(r"\[?`?([\w.-]+?)(?:\.py)?`?(?:\]|$)", cells[0])
            for model in MODELS:
                if line.startswith("|") and found and found[1] == model.name:
                    yield pytest.param(model, cells, id=f"{readme.parent.name}-{model.name}")


@pytest.mark.parametrize(("model", "cells"), _readme_rows())
def test_readme_tables_repeat_the_metafile(model, cells):
    stated = {f"{value:g}" for metrics in model.metrics.values() for value in metrics.values()}
    stated |= {str(model.params), f"{model.params:,}"} if model.params else set()
    stated |= {f"{model.flops / 1e9:.1f}", f"{model.flops / 1e9:.0f}"} if model.flops else set()
    numbers = [n for c in cells[1:] for n in re.findall(r"(?<![\w.])\d[\d,]*\.?\d*(?![\w.])", c)]
    known = stated | {f"{float(s.replace(',', '')):g}" for s in stated}
    assert all(n in known or f"{float(n.replace(',', '')):g}" in known for n in numbers), numbers
