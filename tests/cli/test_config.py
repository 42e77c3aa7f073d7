"""The verb config: print, diff, explain."""

import pytest

from mmsuper.cli import main

BASE = "default_scope = 'mmsuper'\nmodel = dict(type='mmsuper.DLGSANet', dim=12, upscale=2)\n"


@pytest.fixture
def configs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "base.py").write_text(BASE)
    (tmp_path / "child.py").write_text("_base_ = 'base.py'\nmodel = dict(dim=24, groups=2)\n")
    return tmp_path


def test_print_merges_bases_and_options(configs, capsys):
    assert main(["config", "print", "child.py", "--cfg-options", "model.upscale=3"]) == 0
    printed = {}
    exec(capsys.readouterr().out, printed)
    assert printed["model"] == {
        "type": "mmsuper.DLGSANet", "dim": 24, "upscale": 3, "groups": 2
    }  # fmt: skip


def test_print_refuses_a_misspelt_option(configs, capsys):
    assert main(["config", "print", "child.py", "--cfg-options", "model.upscle=3"]) == 2
    error = capsys.readouterr().err
    assert "model.upscle" in error
    assert "did you mean 'upscale'?" in error


def test_diff_shows_each_differing_key_once(configs, capsys):
    assert main(["config", "diff", "base.py", "child.py"]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if "model." in line]
    cells = [[cell.strip() for cell in row.strip("│").split("│")] for row in rows]
    assert cells == [["model.dim", "12", "24"], ["model.groups", "—", "2"]]


def test_diff_of_equal_configs_says_so(configs, capsys):
    assert main(["config", "diff", "base.py", "base.py"]) == 0
    assert "equal" in capsys.readouterr().out


def test_explain_names_files_lines_and_what_is_in_effect(configs, capsys):
    assert main(["config", "explain", "model.dim", "child.py"]) == 0
    rows = [line for line in capsys.readouterr().out.splitlines() if ".py" in line]
    cells = [[cell.strip() for cell in row.strip("│").split("│")] for row in rows]
    assert cells == [["base.py:2", "12", "overridden"], ["child.py:2", "24", "in effect"]]


def test_explain_of_an_unknown_key_names_the_nearest(configs, capsys):
    assert main(["config", "explain", "model.dimm", "child.py"]) == 2
    assert "did you mean 'model.dim'?" in capsys.readouterr().err
