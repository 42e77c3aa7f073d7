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


def _numbers(node):
    """Every number in a metafile's entry, in the ways a table may write it."""
    if isinstance(node, dict | list):
        for value in node.values() if isinstance(node, dict) else node:
            yield from _numbers(value)
    elif isinstance(node, int | float):
        yield float(node)
        if node < 1000:
            yield from (round(node, 2), round(node, 4))
        for unit in (1e6, 1e9):
            if node > unit / 10:
                yield from (round(node / unit, digits) for digits in (1, 2, 3))


def _table_rows(text):
    """``(model, other cells)`` of the table rows that start with a model's name."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        found = re.match(r"\[?`?([\w.-]+?)(?:\.py)?`?(?:\]|$)", cells[0])
        if line.startswith("|") and found:
            yield found[1], cells[1:]


@pytest.mark.parametrize("path", METAFILES, ids=relative)
def test_readme_tables_repeat_the_metafile(path):
    content = yaml.safe_load(path.read_text())
    stated = {model["Name"]: set(_numbers(model)) for model in content["Models"]}
    for collection in content["Collections"]:
        for name, cells in _table_rows((ROOT / collection["README"]).read_text()):
            for number in re.findall(r"(?<![\w.])\d[\d,]*\.?\d*(?![\w.])", " ".join(cells)):
                assert name not in stated or float(number.replace(",", "")) in stated[name], name
