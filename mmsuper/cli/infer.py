"""Apply a model to your own files.

Super-resolution: pictures of any size and mode (grey, RGB, palette, alpha, CMYK, 8 or 16
bit) are enlarged by the model's factor and written under the same name, in the same mode
and depth.
Video super-resolution: a video, or a clip's frames as pictures, a folder or a quoted pattern,
is enlarged frame by frame into a video with the same times and sound, or a folder of PNG.
Classification: the best classes of each picture are printed.
Detection: boxes, and masks if the model finds them, are drawn into the picture.
Segmentation: classes are drawn over the picture, with a legend.
The last three also write predictions.json, in COCO's format. They take any config of
mmpretrain, mmdet or mmseg.
Text completion: drafts of what comes after each TEXT are shown while they grow, and printed.

Folders are searched with their sub-folders, whose structure is kept. Results that are
there already are skipped, unless --overwrite is given. A file that cannot be read is named
and skipped, and the exit code is then 1.
"""

from __future__ import annotations

import argparse
import functools
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.progress import Progress, TaskID

    from mmsuper.apis.batch import Job
    from mmsuper.apis.restoration import RestorationInferencer
    from mmsuper.visualization.comparison import Score

    # A picture's name, and the scores of bicubic and of the result.
    PictureScores = tuple[str, list[Score]]


# Which tasks each flag is for; those that are not here are for all.
_RECOGNITION = ("classification", "detection", "segmentation")
_VIDEO = ("video super-resolution",)
_PICTURES = ("super-resolution", *_VIDEO, *_RECOGNITION)
_TEXT = ("text completion",)
_FLAGS = {
    "out": _PICTURES,
    "overwrite": _PICTURES,
    "strict": _PICTURES,
    "tile": ("super-resolution", *_VIDEO),
    "tile_overlap": ("super-resolution", *_VIDEO),
    "compare": ("super-resolution", *_VIDEO),
    "gt": ("super-resolution",),
    "mode": _VIDEO,
    "look_ahead": _VIDEO,
    "key_frames": _VIDEO,
    "cache_folder": _VIDEO,
    "codec": _VIDEO,
    "crf": _VIDEO,
    "frame_rate": _VIDEO,
    "no_audio": _VIDEO,
    "resume": _VIDEO,
    "top_k": ("classification",),
    "score_threshold": ("detection",),
    "batch_size": _RECOGNITION,
    "fold": _RECOGNITION,
    "show_super_tokens": _RECOGNITION,
    "token": _RECOGNITION,
    "k": _TEXT,
    "max_new_tokens": _TEXT,
    "ngrams": _TEXT,
    "preset": _TEXT,
    "json": _TEXT,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``infer``."""
    parser.add_argument(
        "model", metavar="MODEL", help="model or paper (see the verb list), or a config file"
    )
    parser.add_argument("inputs", nargs="+", metavar="IMAGE|FOLDER|VIDEO|TEXT")
    parser.add_argument(
        "-o",
        "--out",
        help="folder for the results, not for texts; or, to enlarge one picture or a clip, a file",
    )
    parser.add_argument(
        "--weights",
        metavar="PATH",
        help="checkpoint, ours or the authors', or for texts a Hugging Face folder or name; "
        "default: the model's",
    )
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps")
    parser.add_argument("--overwrite", action="store_true", help="replace results that exist")
    parser.add_argument("--strict", action="store_true", help="stop at the first bad file")

    enlarge = parser.add_argument_group("super-resolution, of pictures and videos")
    enlarge.add_argument(
        "--tile",
        type=int,
        metavar="N",
        help="work in tiles of NxN input pixels, 0: never; default: 512 for larger pictures, "
        "0 for videos",
    )
    enlarge.add_argument(
        "--tile-overlap",
        type=int,
        metavar="M",
        help="input pixels computed but not kept at a tile's inner borders; default: 80, "
        "of videos 32",
    )
    enlarge.add_argument(
        "--compare",
        action="store_true",
        help="also write compare/NAME.png, or NAME_compare.mp4 and the like: bicubic and result "
        "side by side",
    )
    enlarge.add_argument(
        "--gt",
        metavar="FOLDER",
        help="pictures: true high-resolution ones of the same names: print PSNR and SSIM",
    )
    _add_video_arguments(parser.add_argument_group("video super-resolution"))

    recognize = parser.add_argument_group("classification, detection, segmentation")
    recognize.add_argument(
        "--batch-size",
        type=int,
        metavar="N",
        help="work on N pictures at a time, if the model resizes them to one size; default: 1",
    )
    recognize.add_argument(
        "--fold",
        action="store_true",
        help="fold norms and factors into the weights beside them: faster, the same result",
    )
    recognize.add_argument(
        "--top-k", type=int, metavar="K", help="classification: print K classes; default: 5"
    )
    recognize.add_argument(
        "--score-threshold",
        type=float,
        metavar="S",
        help="detection: leave out what is less sure than S, from 0 to 1; default: 0.3",
    )
    recognize.add_argument(
        "--show-super-tokens",
        action="store_true",
        help="SViT: also write super_tokens/NAME_STAGE.png: cells, association, attention",
    )
    recognize.add_argument(
        "--token",
        metavar="ROW,COL",
        help="the pixel whose super token is shown; default: in the middle",
    )
    _add_text_arguments(parser.add_argument_group("text completion"))


def _add_text_arguments(text: argparse._ArgumentGroup) -> None:
    text.add_argument("--k", type=int, metavar="K", help="drafts; default: the model's, 3")
    text.add_argument(
        "--max-new-tokens", type=int, metavar="N", help="length of a draft; default: 10"
    )
    text.add_argument(
        "--ngrams", metavar="DIR", help="n-gram index of the same tokenizer (see the verb ngrams)"
    )
    text.add_argument("--preset", metavar="NAME", help="settings of the paper, such as p15_d3")
    text.add_argument("--json", action="store_true", help="print one JSON object for each text")


def _add_video_arguments(video: argparse._ArgumentGroup) -> None:
    video.add_argument(
        "--mode",
        choices=("bounded", "stored", "recomputed"),
        help="bounded (default): memory does not grow with the clip; exact for up to 30 frames, "
        "beyond an approximation. stored, recomputed: exact for any length, but the first frame "
        "comes after all were read, and memory grows with the clip, with recomputed by less than "
        "half, in half again the time",
    )
    video.add_argument(
        "--look-ahead",
        type=int,
        metavar="M",
        help="bounded: each frame sees at least M later ones; default: 15",
    )
    video.add_argument(
        "--key-frames",
        type=int,
        metavar="K",
        help="bounded: attention goes back to K key frames, each a third frame; default: 10",
    )
    video.add_argument(
        "--cache-folder",
        metavar="FOLDER",
        help="stored, recomputed: keep what grows in files there, not in memory",
    )
    video.add_argument(
        "--codec",
        choices=("h264", "hevc", "vp9", "av1"),
        help="of the video written; default: the input's if it is one of these, else h264 (.webm: "
        "vp9)",
    )
    video.add_argument(
        "--crf",
        type=int,
        metavar="Q",
        help="quality by the codec's own scale, less is better; default: h264 18, hevc 20, vp9 "
        "and av1 24",
    )
    video.add_argument(
        "--frame-rate",
        metavar="R",
        help="of pictures, such as 25 or 30000/1001; default: 24; a video keeps its times",
    )
    video.add_argument("--no-audio", action="store_true", help="leave out the sound")
    video.add_argument(
        "--resume",
        action="store_true",
        help="go on after the frames that are in the folder already",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run ``infer``."""
    from mmsuper import configuration
    from mmsuper.apis.models import find_config, task_of
    from mmsuper.errors import UserError

    task = task_of(configuration.read(find_config(arguments.model)))
    _check_flags(arguments, task)
    if task == "language modeling":
        raise UserError(
            f"{arguments.model} is a language model; what completes texts with one is "
            "`python -m mmsuper infer spd TEXT --weights FOLDER`"
        )
    if task in _TEXT:
        from mmsuper.cli import infer_text

        return infer_text.run(arguments)
    if task == "video super-resolution":
        from mmsuper.cli import infer_video

        return infer_video.run(arguments)
    _check_no_video(arguments, task)
    if task == "super-resolution":
        return _super_resolve(arguments)
    from mmsuper.cli import infer_recognition

    return infer_recognition.run(arguments, task)


def _check_flags(arguments: argparse.Namespace, task: str) -> None:
    from mmsuper.errors import UserError

    for name, tasks in _FLAGS.items():
        value = getattr(arguments, name)
        if value is not None and value is not False and task not in tasks:
            raise UserError(
                f"--{name.replace('_', '-')} is for {' and '.join(tasks)}; "
                f"{arguments.model} is for {task}"
            )
    if arguments.out is None and task in _PICTURES:
        raise UserError("-o names a folder for the results")
    if arguments.token is not None and not arguments.show_super_tokens:
        raise UserError("--token is for --show-super-tokens")


def _check_no_video(arguments: argparse.Namespace, task: str) -> None:
    from pathlib import Path

    from mmsuper.data.video_io import VIDEOS
    from mmsuper.errors import UserError

    for item in arguments.inputs:
        if Path(item).suffix.lower() in VIDEOS and Path(item).is_file():
            raise UserError(
                f"{item} is a video, and {arguments.model} is for {task} of pictures; "
                "ttvsr enlarges videos"
            )


def _super_resolve(arguments: argparse.Namespace) -> int:
    from mmsuper.apis import batch

    jobs = batch.plan(arguments.inputs, arguments.out, arguments.gt)
    todo = [job for job in jobs if arguments.overwrite or not job.target.exists()]
    batch.check_writable(job.target.parent for job in todo)
    failed = _run_jobs(arguments, todo) if todo else 0
    return summarize(len(jobs), len(todo), failed)


def summarize(pictures: int, tried: int, failed: int) -> int:
    """Print how many were done, failed and skipped as existing; returns the exit code."""
    parts = [f"{tried - failed} done"]
    if failed:
        parts.append(f"{failed} failed")
    if tried < pictures:
        parts.append(f"{pictures - tried} skipped, as they exist (--overwrite redoes them)")
    print(", ".join(parts))
    return 1 if failed else 0


def _run_jobs(arguments: argparse.Namespace, jobs: list[Job]) -> int:
    """Work through the files with a progress bar; returns how many failed."""
    from mmsuper.apis.restoration import DEFAULT_OVERLAP, RestorationInferencer
    from mmsuper.errors import UserError

    overlap = DEFAULT_OVERLAP if arguments.tile_overlap is None else arguments.tile_overlap
    enlarge = RestorationInferencer(
        arguments.model, arguments.weights, arguments.device, arguments.tile, overlap
    )
    failed, scores = 0, []
    with progress_bar() as bar:
        task = bar.add_task("", total=sum(map(_pixels, jobs)))
        for job in jobs:
            share, start = _pixels(job), bar.tasks[task].completed
            bar.update(task, description=job.source.name)
            advance = functools.partial(_advance, bar, task, start, share)
            try:
                scores += _run_job(enlarge, job, arguments.compare, advance)
            except UserError as error:
                report_failure(error, arguments.strict, bar)
                failed += 1
            advance(1, 1)
    if scores:
        _print_scores(scores)
    return failed


def _run_job(
    enlarge: RestorationInferencer, job: Job, compare: bool, advance: Callable[[int, int], None]
) -> list[PictureScores]:
    """Read, enlarge, write; returns the scores of the picture if its truth is known."""
    from mmsuper.apis.restoration import bicubic
    from mmsuper.data import image_io
    from mmsuper.visualization.comparison import score, side_by_side

    started = time.monotonic()
    picture = image_io.read(job.source)
    height, width = (enlarge.scale * side for side in picture.pixels.shape[:2])
    image_io.check_writable(job.target, picture.mode, (height, width))
    result = enlarge.restore(picture, advance)
    image_io.write(job.target, result)
    print(f"{job.target}  {width}x{height}  {time.monotonic() - started:.1f} s", flush=True)
    if not compare and job.truth is None:
        return []

    titles = ["bicubic", "result"]
    images = [image_io.displayed(bicubic(picture, enlarge.scale)), image_io.displayed(result)]
    scores = []
    if job.truth is not None:
        truth = image_io.displayed(image_io.read(job.truth))
        scores = [score(image, truth, enlarge.scale) for image in images]
        titles = [f"{title}  {value}" for title, value in zip(titles, scores, strict=True)]
        titles.append("truth")
        images.append(truth[:height, :width])
    if compare:
        page = side_by_side(list(zip(titles, images, strict=True)))
        image_io.write(job.beside("compare"), image_io.from_array(page))
    return [(job.source.name, scores)] if scores else []


def _advance(bar: Progress, task: TaskID, start: float, share: int, done: int, total: int) -> None:
    bar.update(task, completed=start + share * done / total)


def _pixels(job: Job) -> int:
    """Pixels of a picture by its header, to weigh its share of the work; 0 if it has none."""
    from PIL import Image

    try:
        with Image.open(job.source) as image:
            return image.width * image.height
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return 0  # reading it in its turn will say what is wrong


def report_failure(error: Exception, strict: bool, bar: Progress) -> None:
    """Name a file that could not be worked on, or stop."""
    from mmsuper.errors import CheckFailed

    if strict:
        raise CheckFailed(str(error)) from error
    bar.console.print(f"skipped: {error}", style="red", markup=False, soft_wrap=True)


def progress_bar() -> Progress:
    """A bar with the remaining time, on standard error, where results do not go."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        redirect_stdout=sys.stdout.isatty(),
        transient=True,
    )


def _print_scores(scores: list[PictureScores]) -> None:
    from rich.console import Console
    from rich.table import Table

    from mmsuper.visualization.comparison import Score

    table = Table("picture", "bicubic PSNR-Y / SSIM-Y", "result PSNR-Y / SSIM-Y")
    for name, values in scores:
        table.add_row(name, *map(str, values))
    columns = zip(*(values for _, values in scores), strict=True)
    means = [
        Score(*(sum(v) / len(scores) for v in zip(*column, strict=True))) for column in columns
    ]
    table.add_section()
    table.add_row("mean", *map(str, means))
    Console().print(table)
