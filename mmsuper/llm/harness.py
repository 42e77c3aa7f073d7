"""Zero-shot tasks of the lm-evaluation-harness beside a test's own metrics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from mmsuper.engine.runners import bare
from mmsuper.errors import UserError
from mmsuper.registry import HOOKS


@HOOKS.register_module()
class LMEvalHook(Hook):
    """After a test, run tasks of the lm-evaluation-harness and add what they measure.

    The metrics are called ``TASK/METRIC``, as in ``arc_easy/acc``. The first process runs
    the tasks. The harness is the extra ``lm-eval``.

    Args:
        tasks: Names of tasks.
        include_path: A folder with tasks of one's own as the harness's YAML, whose
            ``dataset_kwargs`` can name local files; these alone are then known.
        num_fewshot: Examples in the prompt; what the task says if None.
        limit: How many questions of each task; all if None.
        batch_size: How many the model answers at once.
    """

    # Before the hooks that record the metrics.
    priority = "HIGHEST"

    def __init__(
        self,
        tasks: Sequence[str],
        include_path: str | None = None,
        num_fewshot: int | None = None,
        limit: int | None = None,
        batch_size: int = 8,
    ) -> None:
        self.tasks, self.include_path = list(tasks), include_path
        self.options = {"num_fewshot": num_fewshot, "limit": limit}
        self.batch_size = batch_size
        if include_path and not Path(include_path).is_dir():
            raise UserError(f"no folder of tasks at {include_path}")

    def before_test(self, runner: Any) -> None:
        """Find the harness and the tasks before a long test, not after it."""
        try:
            from lm_eval.tasks import TaskManager
        except ModuleNotFoundError as error:
            raise UserError(
                f"LMEvalHook needs {error.name}, which is not installed: "
                "pip install 'mmsuper-lab[lm-eval]'"
            ) from error
        self.known = TaskManager(
            include_path=self.include_path, include_defaults=not self.include_path
        )
        unknown = sorted(set(self.tasks) - set(self.known.all_tasks))
        if unknown:
            raise UserError(f"the lm-evaluation-harness knows no task {unknown[0]!r}")

    def after_test_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Add to the metrics, in place."""
        if metrics is None or not is_main_process():
            return
        import lm_eval
        from lm_eval.models.huggingface import HFLM

        model = HFLM(
            pretrained=bare(runner.model).model,
            tokenizer=runner.test_dataloader.dataset.tokenizer,
            batch_size=self.batch_size,
        )
        found = lm_eval.simple_evaluate(
            model=model,
            tasks=self.tasks,
            task_manager=self.known,
            log_samples=False,
            **self.options,
        )
        metrics.update(_flat(found["results"]))


def _flat(results: dict[str, dict[str, Any]]) -> dict[str, float]:
    """``{task: {"acc,none": x}}`` as ``{"task/acc": x}``; of filters only the usual one."""
    return {
        f"{task}/{name.removesuffix(',none')}": value
        for task, values in results.items()
        for name, value in values.items()
        if isinstance(value, float)
    }
