"""What a case allows each output, and what is compared."""

import json

import numpy as np
import pytest
import torch

from mmsuper import parity
from mmsuper.projects.dlgsanet import parity as project


@pytest.fixture
def failing(tmp_path, monkeypatch):
    """Names of the outputs that fail, of a case with given recorded outputs and tolerance."""

    def run(actual, expected, tolerance):
        (tmp_path / "case.json").write_text(json.dumps({"tolerance": tolerance}))
        np.savez(tmp_path / "expected.npz", **expected)
        monkeypatch.setattr(project, "outputs", lambda case: actual)
        results = parity.run(parity.Case(tmp_path, "dlgsanet"))
        return [result.output for result in results if not result.passed]

    return run


def test_one_tolerance_holds_for_every_output(failing):
    expected = {"a": np.zeros(3), "b": np.zeros((2, 2))}
    near = {"a": torch.full((3,), 0.9), "b": torch.full((2, 2), -0.9)}
    assert failing(near, expected, 1.0) == []
    assert failing(near, expected, 0.8) == ["a", "b"]


def test_each_output_has_its_own_tolerance_and_none_means_the_same_value(failing):
    expected = {"wide": np.zeros(3), "narrow": np.zeros(3), "labels": np.arange(3)}
    tolerance = {"atol": {"wide": 1.0, "narrow": 0.1}, "how": "in words"}
    off = torch.tensor([0.0, 0.5, 0.0])
    labels = torch.arange(3)
    assert failing({"wide": off, "narrow": off, "labels": labels}, expected, tolerance) == [
        "narrow"
    ]
    assert failing(
        {"wide": off, "narrow": off / 10, "labels": labels + 1e-6}, expected, tolerance
    ) == ["labels"]


def test_what_is_masked_is_not_compared_and_the_rest_is(failing):
    expected = {"labels": np.array([[1, 2], [3, 4]])}
    tolerance = {"atol": {}}
    mask = [[False, True], [False, False]]
    masked = np.ma.MaskedArray([[1, 9], [3, 4]], mask)
    assert failing({"labels": masked}, expected, tolerance) == []
    assert failing({"labels": masked.data}, expected, tolerance) == ["labels"]
    wrong = np.ma.MaskedArray([[1, 9], [3, 5]], mask)
    assert failing({"labels": wrong}, expected, tolerance) == ["labels"]
    assert failing({"labels": masked[:1]}, expected, tolerance) == ["labels"]


def test_a_project_may_state_a_tolerance_that_the_case_does_not(failing, monkeypatch):
    expected, near = {"a": np.array([1e6])}, {"a": np.array([1e6 + 10])}
    assert failing(near, expected, {"b": "atol 1"}) == ["a"]
    monkeypatch.setattr(project, "tolerance_key", lambda output: "rtol 1e-4", raising=False)
    assert failing(near, expected, {"b": "atol 1"}) == []


def test_numbers_may_be_recorded_in_the_case_itself(tmp_path):
    spec = {"expected": {"rows": {"1": [[3, [[4, 5]]]], "2": []}, "mean": 0.5}}
    (tmp_path / "case.json").write_text(json.dumps(spec))
    expected = parity.Case(tmp_path, "dlgsanet").expected
    assert {name: list(values) for name, values in expected.items()} == {
        "rows": [3, 4, 5],
        "mean": [0.5],
    }
