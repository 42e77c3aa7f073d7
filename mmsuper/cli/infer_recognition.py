"""``infer`` for classifiers, detectors and segmentors."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsuper.cli import infer

if TYPE_CHECKING:
    import numpy as np
    from rich.progress import Progress

    from mmsuper.apis.batch import Job
    from mmsuper.apis.predictions import Predictions

TOP_K = 5
SCORE_THRESHOLD = 0.3


def run(arguments: argparse.Namespace, task: str) -> int:
    """Work through the files; returns the exit code.

    Args:
        arguments: Of the command line.
        task: ``classification``, ``detection`` or ``segmentation``.
    """
    from mmsuper.apis import batch
    from mmsuper.apis.predictions import Predictions
    from mmsuper.data import image_io
    from mmsuper.errors import UserError

    out = Path(arguments.out)
    if out.suffix.lower() in image_io.WRITABLE and not out.is_dir():
        raise UserError(f"{out} is a file's name; name a folder for the results of {task}")
    for flag, value in (("--batch-size", arguments.batch_size), ("--top-k", arguments.top_k)):
        if value is not None and value < 1:
            raise UserError(f"{flag} is a number of at least 1, not {value}")
    token = _read_token(arguments.token)
    jobs = batch.plan(arguments.inputs, out, None)
    predictions = Predictions(out, _info(arguments, task), arguments.overwrite)
    todo = [job for job in jobs if job.name not in predictions]
    batch.check_writable([out, *(job.target.parent for job in todo)])
    failed = _Worker(arguments, predictions, token).work(todo) if todo else 0
    return infer.summarize(len(jobs), len(todo), failed)


def _info(arguments: argparse.Namespace, task: str) -> dict[str, Any]:
    """What predictions depend on."""
    info = {"model": arguments.model, "weights": arguments.weights, "task": task}
    if task == "classification":
        info["top_k"] = _or_default(arguments.top_k, TOP_K)
    if task == "detection":
        info["score_threshold"] = _or_default(arguments.score_threshold, SCORE_THRESHOLD)
    return info


def _or_default(value: Any, default: Any) -> Any:
    return default if value is None else value


def _read_token(text: str | None) -> tuple[int, int] | None:
    from mmsuper.errors import UserError

    if text is None:
        return None
    try:
        row, column = map(int, text.split(","))
    except ValueError:
        raise UserError(f"--token is ROW,COL in pixels, such as 100,40, not {text!r}") from None
    return row, column


class _Worker:
    """A model and where its results go."""

    def __init__(
        self,
        arguments: argparse.Namespace,
        predictions: Predictions,
        token: tuple[int, int] | None,
    ) -> None:
        from mmsuper.apis.recognition import RecognitionInferencer

        self.arguments = arguments
        self.predictions = predictions
        self.token = token
        self.recognize = RecognitionInferencer(
            arguments.model, arguments.weights, arguments.device, arguments.fold
        )
        predictions.categories = [
            {"id": number, "name": name}
            for number, name in zip(self.recognize.category_ids, self.recognize.names, strict=True)
        ]
        if arguments.show_super_tokens:
            self.recognize.project_module("pictures", "--show-super-tokens")
        self.best: list[tuple[str, list[tuple[str, float]]]] = []
        self.failed = 0

    def work(self, jobs: list[Job]) -> int:
        """Work through the files with a progress bar; returns how many failed."""
        size = _or_default(self.arguments.batch_size, 1)
        with infer.progress_bar() as bar:
            task = bar.add_task("", total=len(jobs))
            try:
                for start in range(0, len(jobs), size):
                    some = jobs[start : start + size]
                    bar.update(task, description=some[0].source.name)
                    self._work_batch(some, bar)
                    bar.advance(task, len(some))
            finally:  # what is done stays, also when the run is interrupted
                self.predictions.write()
        if self.best:
            _print_table(self.best)
        return self.failed

    def _work_batch(self, jobs: list[Job], bar: Progress) -> None:
        from mmsuper.errors import UserError

        readable = list(self._read(jobs, bar))
        if not readable:
            return
        results = self.recognize([image for _, image in readable])
        for (job, image), result in zip(readable, results, strict=True):
            try:
                self._write(job, image, result)
            except UserError as error:
                self._fail(error, bar)

    def _read(self, jobs: list[Job], bar: Progress) -> Iterator[tuple[Job, np.ndarray]]:
        from mmsuper.data import image_io
        from mmsuper.errors import UserError

        for job in jobs:
            try:
                yield job, image_io.displayed(image_io.read(job.source))
            except UserError as error:
                self._fail(error, bar)

    def _fail(self, error: Exception, bar: Progress) -> None:
        infer.report_failure(error, self.arguments.strict, bar)
        self.failed += 1

    def _write(self, job: Job, image: np.ndarray, result: dict[str, np.ndarray]) -> None:
        """Write all results of one picture; it is done when they are."""
        from mmsuper.apis.predictions import to_annotations
        from mmsuper.data import image_io

        task = self.recognize.task
        if task == "classification":
            result = self._best(job, result["scores"])
        elif task == "detection":
            result = self._draw_instances(job, image, result)
        else:
            self._draw_segments(job, image, result["labels"])
        if self.arguments.show_super_tokens:
            sheets = self.recognize.super_tokens(image, self.token)
            for name, sheet in sheets.items():
                path = job.beside("super_tokens", f"_{name}.png")
                image_io.write(path, image_io.from_array(sheet))
                print(path, flush=True)
        found = to_annotations(result, self.recognize.names, self.recognize.category_ids)
        self.predictions.add(job.name, image.shape[:2], found)

    def _best(self, job: Job, scores: np.ndarray) -> dict[str, np.ndarray]:
        labels = (-scores).argsort(kind="stable")[: self.predictions.info["top_k"]]
        names = [self.recognize.names[label] for label in labels]
        self.best.append((str(job.source), list(zip(names, scores[labels], strict=True))))
        return {"labels": labels, "scores": scores[labels]}

    def _draw_instances(
        self, job: Job, image: np.ndarray, result: dict[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        from mmsuper.data import image_io
        from mmsuper.visualization.recognition import draw_instances

        sure = result["scores"] >= self.predictions.info["score_threshold"]
        result = {key: values[sure] for key, values in result.items()}
        names = self.recognize.names
        page = draw_instances(image, result, names, self.recognize.colours)
        image_io.write(job.target, image_io.from_array(page))
        labels = result["labels"].tolist()
        counts = [f"{labels.count(label)} {names[label]}" for label in dict.fromkeys(labels)]
        print(f"{job.target}  {', '.join(counts) or 'nothing found'}", flush=True)
        return result

    def _draw_segments(self, job: Job, image: np.ndarray, labels: np.ndarray) -> None:
        from mmsuper.data import image_io
        from mmsuper.visualization.recognition import class_shares, draw_segments

        names = self.recognize.names
        page = draw_segments(image, labels, names, self.recognize.colours)
        image_io.write(job.target, image_io.from_array(page))
        shares = [f"{names[label]} {100 * share:.1f} %" for label, share in class_shares(labels)]
        print(f"{job.target}  {', '.join(shares)}", flush=True)


def _print_table(best: list[tuple[str, list[tuple[str, float]]]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("picture", "class", "score")
    for picture, classes in best:
        for rank, (name, score) in enumerate(classes):
            last = rank == len(classes) - 1
            table.add_row("" if rank else picture, name, f"{score:.4f}", end_section=last)
    Console().print(table)
