"""``infer`` for networks that enlarge clips."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from mmsuper.cli import infer

if TYPE_CHECKING:
    import numpy as np
    from rich.progress import Progress

    from mmsuper.apis.video import VideoInferencer
    from mmsuper.data.video_io import Clip, Sink
    from mmsuper.errors import UserError

# Flags that only some modes have.
_MODES = {
    "look_ahead": ("bounded",),
    "key_frames": ("bounded",),
    "cache_folder": ("stored", "recomputed"),
}
# Flags that only a video can have which is written.
_VIDEO_ONLY = ("codec", "crf", "frame_rate", "no_audio")


def run(arguments: argparse.Namespace) -> int:
    """Enlarge one clip; returns the exit code."""
    from mmsuper.apis import batch
    from mmsuper.data import video_io

    arguments.mode = arguments.mode or "bounded"
    out = Path(arguments.out)
    to_video = out.suffix.lower() in video_io.WRITABLE and not out.is_dir()
    _check_flags(arguments, to_video)
    clip = video_io.open_clip(arguments.inputs, _rate(arguments.frame_rate))
    skip = _check_video(arguments, clip) if to_video else _check_folder(arguments, clip)
    # A video's count is what its header says.
    if skip and skip == clip.count and isinstance(clip, video_io.PictureClip):
        print(f"0 frames done, all {skip} are there")
        return 0
    folders = [out.parent if to_video else out]
    if arguments.cache_folder is not None:
        folders.append(Path(arguments.cache_folder))
    batch.check_writable(folders)
    return _Worker(arguments, clip, to_video, skip).work()


def _check_flags(arguments: argparse.Namespace, to_video: bool) -> None:
    from mmsuper.data import image_io, video_io
    from mmsuper.errors import UserError

    for name, modes in _MODES.items():
        if getattr(arguments, name) is not None and arguments.mode not in modes:
            raise UserError(f"--{name.replace('_', '-')} is for --mode {' and '.join(modes)}")
    endings = ", ".join(video_io.WRITABLE)
    suffix = Path(arguments.out).suffix.lower()
    if not to_video and suffix in video_io.VIDEOS | image_io.READABLE:
        raise UserError(f"{arguments.out}: name a video ({endings}), or a folder for PNG files")
    for name in _VIDEO_ONLY:
        value = getattr(arguments, name)
        if value is not None and value is not False and not to_video:
            flag = name.replace("_", "-")
            raise UserError(f"--{flag} is for a video ({endings}), not for a folder of PNG files")
    if arguments.tile_overlap is not None and not arguments.tile:
        raise UserError("--tile-overlap is for --tile, which a clip has only if you ask")
    if arguments.resume and to_video:
        raise UserError("--resume is for a folder of PNG files; a video is written anew")
    if arguments.resume and arguments.overwrite:
        raise UserError("--resume keeps the frames that are there, --overwrite does not; choose")


def _rate(text: str | None) -> Fraction | None:
    from mmsuper.errors import UserError

    try:
        rate = None if text is None else Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if rate is not None and rate <= 0:
        raise UserError(f"--frame-rate is a number such as 25 or 30000/1001, not {text!r}")
    return rate


def _check_video(arguments: argparse.Namespace, clip: Clip) -> int:
    from mmsuper.errors import UserError

    out = Path(arguments.out)
    for path in [out, _beside(out)] if arguments.compare else [out]:
        if path.exists() and path.samefile(clip.source):
            raise UserError(f"the result would replace the input {path}; choose another name")
        if path.exists() and not arguments.overwrite:
            raise UserError(f"{path} is there already; --overwrite replaces it")
    return 0


def _check_folder(arguments: argparse.Namespace, clip: Clip) -> int:
    """Returns how many frames from the first one on are there and stay."""
    from mmsuper.data.video_io import PictureClip, PictureSink
    from mmsuper.errors import UserError

    folder = PictureSink(Path(arguments.out))
    if isinstance(clip, PictureClip):
        targets = {folder.path(name).resolve() for name in clip.names()}
        for path in clip.paths:
            if path.resolve() in targets:
                raise UserError(f"a result would replace the input {path}; choose another folder")
    done = sum(1 for _ in takewhile(lambda name: folder.path(name).exists(), clip.names()))
    if done and not (arguments.resume or arguments.overwrite):
        raise UserError(
            f"{arguments.out} has frames already; --resume goes on after them, --overwrite "
            "makes all anew"
        )
    return done if arguments.resume else 0


def _beside(out: Path) -> Path:
    """The video of the comparison."""
    return out.with_stem(f"{out.stem}_compare")


class _Worker:
    """A clip on its way from its source to where it goes."""

    def __init__(
        self, arguments: argparse.Namespace, clip: Clip, to_video: bool, skip: int
    ) -> None:
        self.arguments, self.clip, self.to_video, self.skip = arguments, clip, to_video, skip
        self.out = Path(arguments.out)
        self.done = self.failed = 0
        self.size = ""

    def work(self) -> int:
        """Enlarge frame by frame; returns the exit code."""
        started = time.monotonic()
        try:
            with ExitStack() as stack:
                sink = stack.enter_context(self._sink(self.out))
                compare = None
                if self.arguments.compare:
                    beside = _beside(self.out) if self.to_video else self.out / "compare"
                    compare = stack.enter_context(self._sink(beside))
                enlarge = self._inferencer()
                with infer.progress_bar() as bar:
                    self._fill(enlarge, sink, compare, bar)
        except BaseException:
            if self.done:
                print(f"{self.out}  stopped after {self.done} frames, which are there")
            raise
        seconds = time.monotonic() - started
        failed = f", {self.failed} could not be decoded" if self.failed else ""
        there = f", {self.skip} were there" if self.skip else ""
        print(
            f"{self.out}  {self.size}  {self.done} frames done{there}{failed}  {seconds:.1f} s, "
            f"{self.done / seconds:.2f} frames/s"
        )
        return 1 if self.failed else 0

    @contextmanager
    def _sink(self, path: Path) -> Iterator[Sink]:
        from mmsuper.data.video_io import PictureSink, video_sink

        if not self.to_video:
            yield PictureSink(path)
            return
        choice = self.arguments
        with video_sink(path, self.clip, choice.codec, choice.crf, not choice.no_audio) as sink:
            yield sink

    def _inferencer(self) -> VideoInferencer:
        from mmsuper.apis import video

        given = self.arguments
        return video.VideoInferencer(
            given.model,
            given.weights,
            given.device,
            given.mode,
            video.LOOK_AHEAD if given.look_ahead is None else given.look_ahead,
            video.KEY_FRAMES if given.key_frames is None else given.key_frames,
            given.cache_folder,
            given.tile or 0,
            video.DEFAULT_OVERLAP if given.tile_overlap is None else given.tile_overlap,
        )

    def _fill(
        self, enlarge: VideoInferencer, sink: Sink, compare: Sink | None, bar: Progress
    ) -> None:
        """Enlarge the clip and write it.

        It is read twice: by the network, which is ahead, and for what goes with a result.
        """
        from mmsuper.data.video_io import interruptions_wait
        from mmsuper.errors import UserError

        steps = None if self.clip.count is None else enlarge.steps(self.clip.count, self.skip)
        name, started = self.clip.source.name, time.monotonic()
        task = bar.add_task(name, total=steps)

        def failed(error: UserError) -> None:
            infer.report_failure(error, self.arguments.strict, bar)
            self.failed += 1

        inputs = (frame.pixels for frame in self.clip.read(failed))
        originals = islice(self.clip.read(lambda error: None), self.skip, None)
        results = enlarge(inputs, self.skip, lambda part: bar.advance(task, part))
        for frame, pixels in zip(originals, results, strict=True):
            with interruptions_wait():
                sink.write(pixels, frame)
                if compare is not None:
                    compare.write(_page(frame.pixels, pixels, enlarge.scale), frame)
                self.done += 1
            self.size = f"{pixels.shape[1]}x{pixels.shape[0]}"
            speed = self.done / (time.monotonic() - started)
            bar.update(task, description=f"{name}  {speed:.2f} frames/s")
        if not self.done and not self.skip:
            raise UserError(f"no frame of {self.clip.source} could be decoded")


def _page(before: np.ndarray, after: np.ndarray, scale: int) -> np.ndarray:
    """What bicubic interpolation and the network make of a frame, side by side."""
    from mmsuper.apis.restoration import bicubic
    from mmsuper.data import image_io
    from mmsuper.visualization.comparison import side_by_side

    pictures = [bicubic(image_io.from_array(before), scale), image_io.from_array(after)]
    titles = ("bicubic", "result")
    return side_by_side([*zip(titles, map(image_io.displayed, pictures), strict=True)])
