"""``.ci/run`` reports what `make test` found, whatever happens."""

import os
import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).resolve().parents[2] / ".ci" / "run"
PASSED = "=================== 12 passed, 1 skipped in 3.45s ==================="
FAILED = "============= 1 failed, 11 passed in 64.00s (0:01:04) =============="
NO_TESTS = "====================== no tests ran in 0.01s ======================="


@pytest.mark.parametrize(
    ("lines", "status", "code", "last"),
    [
        ([PASSED], 0, 0, PASSED),
        (["ruff: an error", PASSED, "make: *** [lint] Error 1"], 2, 2, PASSED),
        ([FAILED, "make: *** [unit] Error 1"], 2, 2, FAILED),
        ([NO_TESTS, "make: *** [unit] Error 5"], 2, 2, NO_TESTS),
        (["make: *** [install] Error 1"], 2, 1, ".ci/run: pytest did not finish"),
        ([], 0, 1, ".ci/run: pytest did not finish"),
    ],
    ids=["green", "lint fails", "a test fails", "no tests", "no environment", "silence"],
)
def test_outcome(lines, status, code, last, tmp_path):
    make = tmp_path / "make"
    prints = "".join(f"echo '{line}'\n" for line in lines)
    make.write_text(f"#!/bin/sh\n{prints}exit {status}\n")
    make.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run([RUN], env=environment, capture_output=True, text=True)
    assert result.returncode == code, result.stderr
    assert result.stdout.splitlines()[-1] == last
