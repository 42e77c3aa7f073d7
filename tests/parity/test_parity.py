"""The recorded cases pass, and the comparison fails when it should."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from mmsuper import parity
from mmsuper.cli import main
from mmsuper.errors import UserError

CASES = Path(__file__).parent / "cases"
SMALLEST = CASES / "dlgsanet" / "op_dynamic_dwconv"
# Quick ones of each kind of output: stages, gradients, labels, token ids.
DISTURBED = [
    SMALLEST,
    CASES / "svit" / "sta_rect_4x8",
    CASES / "svit" / "tiny_niter_96x80",
    CASES / "superposed_decoding" / "llama_k2_eos",
    CASES / "active_dormant" / "transformer_2l_postnorm_sincos",
]


@pytest.mark.parametrize("case", parity.find_cases([CASES]), ids=lambda case: case.folder.name)
def test_case_is_within_tolerance(case):
    results = list(parity.run(case))
    assert {result.output for result in results} == set(case.expected)
    assert [result for result in results if not result.passed] == []


def copy_of(case: Path, folder: Path) -> Path:
    return Path(shutil.copytree(case, folder / case.parent.name / case.name))


def disturb(case: Path, output: str, amount: float) -> None:
    with np.load(case / "expected.npz") as arrays:
        arrays = dict(arrays)
    arrays[output].flat[arrays[output].size // 2] += amount
    np.savez(case / "expected.npz", **arrays)


def too_much(case: parity.Case, output: str) -> float:
    """Ten times what is allowed of the middle value; one where only the same will do."""
    expected = case.expected[output]
    return 10 * case.tolerance(output).allowed(expected).flat[expected.size // 2] or 1


@pytest.mark.parametrize("folder", DISTURBED, ids=lambda folder: folder.name)
def test_every_disturbed_output_fails(folder, tmp_path):
    folder = copy_of(folder, tmp_path)
    (case,) = parity.find_cases([folder])
    for output in case.expected:
        disturb(folder, output, too_much(case, output))
    results = list(parity.run(parity.find_cases([folder])[0]))
    assert [result.output for result in results if result.passed] == []


@pytest.mark.parametrize("folder", DISTURBED, ids=lambda folder: folder.name)
def test_one_disturbed_value_is_enough(folder, tmp_path, capsys):
    folder = copy_of(folder, tmp_path)
    (case,) = parity.find_cases([folder])
    assert main(["parity", str(folder)]) == 0
    output = list(case.expected)[-1]
    disturb(folder, output, too_much(case, output))
    assert main(["parity", str(folder)]) == 1
    assert f"FAIL {case.paper}/{folder.name}" in capsys.readouterr().out


def test_undefined_and_misshapen_outputs_fail(tmp_path):
    case = copy_of(SMALLEST, tmp_path)
    disturb(case, "output", np.nan)
    assert main(["parity", str(case)]) == 1
    np.savez(case / "expected.npz", output=np.zeros(3))
    assert main(["parity", str(case)]) == 1
    np.savez(case / "expected.npz", unknown=np.zeros(3))
    assert main(["parity", str(case)]) == 1


def test_paper_is_the_first_part_of_the_path_that_names_one(tmp_path, monkeypatch):
    case = copy_of(SMALLEST, tmp_path)
    assert parity.find_cases([tmp_path])[0].paper == "dlgsanet"
    monkeypatch.chdir(case.parent)
    assert parity.find_cases(["."])[0].paper == "dlgsanet"
    shutil.copytree(SMALLEST, tmp_path / "other" / "case")
    with pytest.raises(UserError, match="names none of the papers"):
        parity.find_cases([tmp_path / "other"])


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_nothing_to_run_is_bad_usage(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["parity", folder]) == 2
    assert "mmsuper parity: no" in capsys.readouterr().err
