"""The verb list: the models of this repository."""

import json
from pathlib import Path

import pytest

from mmsuper.apis import list_models
from mmsuper.cli import main


def test_table_has_a_row_for_each_model(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    for model in list_models():
        (row,) = [line for line in out.splitlines() if line.startswith(f"│ {model.name} ")]
        assert model.params is None or f"{model.params:,}" in row
        assert ("bundled" in row) == (model.weights is not None)
    assert "Lightweight Dynamic Local and Global Self-Attention" in out


def test_json_of_a_pattern(capsys):
    assert main(["list", "*tiny_x4_div2k", "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["name"] == "dlgsanet-tiny_x4_div2k"
    assert record["params"] == 581298
    assert record["metrics"]["Set5"]["PSNR"] == pytest.approx(32.46)
    assert Path(record["config"]).is_file()


def test_nothing_found_is_exit_code_1(capsys):
    assert main(["list", "no-such-model"]) == 1
    assert "no model matches 'no-such-model'" in capsys.readouterr().err
