"""What the hook says without the harness, and how it names its metrics."""

import sys

import pytest

from mmsuper.errors import UserError
from mmsuper.llm.harness import LMEvalHook, _flat


def test_without_the_harness_a_test_does_not_begin(monkeypatch):
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(UserError, match=r"pip install 'mmsuper-lab\[lm-eval\]'"):
        LMEvalHook(tasks=["a"]).before_test(runner=None)


def test_a_folder_of_tasks_must_be_there():
    with pytest.raises(UserError, match="no folder of tasks at nowhere"):
        LMEvalHook(tasks=["a"], include_path="nowhere")


def test_metrics_are_named_by_task():
    found = _flat({"t": {"alias": "t", "acc,none": 0.5, "acc_stderr,none": 0.1, "em,strict": 1.0}})
    assert found == {"t/acc": 0.5, "t/acc_stderr": 0.1, "t/em,strict": 1.0}
