"""The verb doctor: findings, advice and exit codes."""

import json
import sys

import pytest

from mmsuper import doctor
from mmsuper.cli import main


def run_with(monkeypatch, *findings):
    monkeypatch.setattr(doctor, "CHECKS", {"check": lambda: iter(findings)})
    return main(["doctor", "--json"])


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("warning", 0), ("broken", 1)])
def test_only_what_is_broken_fails(monkeypatch, capsys, status, code):
    assert run_with(monkeypatch, doctor.Finding("x", status, "found", "advice")) == code
    (finding,) = json.loads(capsys.readouterr().out)
    assert finding == {"check": "x", "status": status, "found": "found", "advice": "advice"}


def test_a_check_that_fails_is_a_finding(monkeypatch, capsys):
    def check():
        raise RuntimeError("no luck")
        yield

    monkeypatch.setattr(doctor, "CHECKS", {"fragile": check})
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "RuntimeError: no luck" in out
    assert "1 broken, 0 warnings, 0 ok" in out


def by_name(findings):
    return {finding.check: finding for finding in findings}


def test_versions_are_compared_with_the_tested_set(monkeypatch):
    installed = {name: "1.0" for name in doctor.NEEDED} | {"torch": "2.0+cpu", "extra": "3.0"}
    del installed["mmagic"]
    monkeypatch.setattr(doctor, "_version", installed.get)
    monkeypatch.setattr(doctor, "_pins", lambda: {"torch": "2.0", "numpy": "1.1", "extra": "3.1"})
    found = by_name(doctor.packages())
    assert found["torch"].status == doctor.OK
    assert found["numpy"].status == doctor.WARNING
    assert "numpy==1.1" in found["numpy"].advice
    assert found["mmagic"].status == doctor.BROKEN
    assert found["extra"].status == doctor.WARNING


def test_two_opencvs_are_a_warning(monkeypatch):
    monkeypatch.setattr(doctor, "_version", lambda name: "4.12")
    assert by_name(doctor.packages())["opencv"].status == doctor.WARNING


def test_this_checkout_has_a_tested_set():
    assert doctor._pins()["onedl-mmcv"]
    assert doctor._pins()["torch"]


def test_operators_run_here():
    (finding,) = doctor.operators()
    assert (finding.status, finding.found) == (doctor.OK, "built, nms runs")


def test_missing_operators_are_broken_and_say_how_to_build_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "mmcv.ops", None)
    (finding,) = doctor.operators()
    assert finding.status == doctor.BROKEN
    assert "MMCV_WITH_OPS=1" in finding.advice


def test_operators_that_compute_nonsense_are_broken(monkeypatch):
    import mmcv.ops
    import torch

    monkeypatch.setattr(mmcv.ops, "nms", lambda *_: (None, torch.tensor([0, 1, 2])))
    (finding,) = doctor.operators()
    assert finding.status == doctor.BROKEN


@pytest.mark.parametrize(("free", "status"), [(0.1, "broken"), (2, "warning"), (50, "ok")])
def test_disk_space(monkeypatch, free, status):
    usage = type("Usage", (), {"free": free * doctor.GIB})
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage)
    assert by_name(doctor.space())["disk"].status == status


def test_a_work_dir_that_cannot_be_written_is_broken(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (finding,) = doctor.work_dir()
    assert finding.status == doctor.OK
    (tmp_path / "work_dirs").write_text("a file where the folder belongs")
    (finding,) = doctor.work_dir()
    assert finding.status == doctor.BROKEN
    assert "--work-dir" in finding.advice


def test_sample_data_says_what_is_made(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (finding,) = doctor.sample_data()
    assert finding.found == "made: none"
    assert "python -m mmsuper data" in finding.advice


def test_cpu_models_and_python_are_found():
    assert by_name(doctor.devices())["cpu"].status == doctor.OK
    assert by_name(doctor.models())["models"].found[:2].strip().isdigit()
    assert next(doctor.python_version()).status == doctor.OK
