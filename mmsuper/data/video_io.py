"""Clips, from videos or pictures, read and written one frame at a time.

Decoding and encoding are PyAV's. Whatever is read comes upright, in RGB, with the time at
which it is shown; whatever is written keeps these times, the shape of pixels and the meaning
of colours of the clip that it is made from, and its sound.
"""

from __future__ import annotations

import glob
import os
import re
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from mmsuper.data import image_io
from mmsuper.errors import UserError
from mmsuper.files import replacing

if TYPE_CHECKING:
    import av
    from av.container import InputContainer, OutputContainer
    from av.video.stream import VideoStream

# A GIF may move, so here it is a video.
PICTURES = image_io.READABLE - {".gif"}
#: Names of videos; what else a file is called, it is read if it can be.
VIDEOS = frozenset(
    {".3gp", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts"}
    | {".ogv", ".ts", ".webm", ".wmv", ".y4m"}
)
#: Endings of videos that can be written, with the container and its first choice of codec.
WRITABLE = {
    ".mp4": ("mp4", "h264"),
    ".m4v": ("mp4", "h264"),
    ".mov": ("mov", "h264"),
    ".mkv": ("matroska", "h264"),
    ".webm": ("webm", "vp9"),
}
#: Codecs that can be written: the encoder, its options at a quality where a loss is hard to
#: see, and the worst quality it has.
CODECS: dict[str, tuple[str, dict[str, str], int]] = {
    "h264": ("libx264", {"crf": "18"}, 51),
    "hevc": ("libx265", {"crf": "20", "x265-params": "log-level=error"}, 51),
    "vp9": ("libvpx-vp9", {"crf": "24", "b": "0", "cpu-used": "4", "row-mt": "1"}, 63),
    "av1": ("libsvtav1", {"crf": "24", "preset": "8"}, 63),
}
#: Frames a second of pictures.
DEFAULT_RATE = Fraction(24)

Report = Callable[[UserError], None]
"""Called with what is wrong with a frame that is left out."""


@dataclass(frozen=True)
class Frame:
    """One frame of a clip.

    Attributes:
        pixels: (H, W, 3) uint8 or uint16, RGB, upright.
        name: For a file of its own, without an ending.
        time: When it is shown, in seconds from the clip's begin.
        duration: How long, in seconds.
    """

    pixels: np.ndarray
    name: str
    time: Fraction
    duration: Fraction


@dataclass(frozen=True)
class Style:
    """What a video has beside its frames, and one that is made from it shall have as well.

    Attributes:
        rate: Frames a second, on average.
        time_base: Of which times are multiples, in seconds.
        codec: Name as in :data:`CODECS` or another, or None.
        deep: Whether it has more than 8 bits a channel.
        matrix: FFmpeg's number of the matrix between RGB and luma and chroma.
        primaries: FFmpeg's number of what red, green and blue are.
        transfer: FFmpeg's number of the curve between levels and light.
        pixel_aspect: Width of a pixel by its height.
    """

    rate: Fraction
    time_base: Fraction
    codec: str | None = None
    deep: bool = False
    matrix: int = 1
    primaries: int = 2
    transfer: int = 2
    pixel_aspect: Fraction = Fraction(1)


class Clip(Protocol):
    """What can be read frame by frame, any number of times.

    Attributes:
        source: The video, or the first picture.
        count: Number of frames, as far as it is known without reading them.
        style: What it has beside frames.
    """

    source: Path
    count: int | None
    style: Style

    def read(self, report: Report) -> Iterator[Frame]:
        """Read from the begin; a frame that cannot be decoded is reported and left out."""

    def names(self) -> Iterator[str]:
        """Names of all frames, or of more."""


def open_clip(inputs: Sequence[str | Path], rate: Fraction | None = None) -> Clip:
    """The clip that words of a command line mean.

    Args:
        inputs: A video; or pictures; or a folder of pictures or a pattern with wildcards,
            which are taken by name, numbers in names by their value.
        rate: Frames a second of pictures.

    Raises:
        UserError: If there is nothing, or nothing to look at, or more than one clip.
    """
    paths = [path for item in inputs for path in _paths(item)]
    pictures = [path for path in paths if path.suffix.lower() in PICTURES]
    if len(pictures) == len(paths):
        return PictureClip(paths, rate or DEFAULT_RATE)
    if len(paths) > 1:
        other = next(path for path in paths if path not in pictures)
        raise UserError(f"one clip at a time: pictures or one video, not {other} among others")
    if rate is not None:
        raise UserError("--frame-rate is for pictures; a video keeps its own")
    return VideoClip(paths[0])


def _paths(item: str | Path) -> list[Path]:
    path = Path(item)
    if path.is_dir():
        inside = [
            p
            for p in path.iterdir()
            if p.suffix.lower() in PICTURES and p.is_file() and not p.name.startswith(".")
        ]
        if not inside:
            raise UserError(f"no pictures in {path} (a clip's frames lie in one folder)")
        return sorted(inside, key=_by_value)
    if path.exists():
        return [path]
    matches = [Path(match) for match in glob.glob(str(item))]  # noqa: PTH207
    if not matches:
        raise UserError(f"no file or folder at {item}")
    return sorted(matches, key=_by_value)


def _by_value(path: Path) -> list[tuple[int, str]]:
    """Sorts frame 2 before frame 10."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


# ------------------------------------------------------------------------------------------
# Reading


class PictureClip:
    """A clip of pictures.

    Args:
        paths: Of the frames.
        rate: Frames a second.

    Raises:
        UserError: If two frames have one name.
    """

    def __init__(self, paths: Sequence[Path], rate: Fraction) -> None:
        names = [path.stem for path in paths]
        if len(set(names)) < len(names):
            name = next(name for name in names if names.count(name) > 1)
            raise UserError(f"two frames are called {name}; a clip's frames have different names")
        self.source, self.paths = paths[0], paths
        self.count: int | None = len(paths)
        self.style = Style(rate, 1 / rate)

    def read(self, report: Report) -> Iterator[Frame]:
        """See :class:`Clip`."""
        duration = 1 / self.style.rate
        for number, path in enumerate(self.paths):
            try:
                picture = image_io.read(path)
            except UserError as error:
                report(error)
                continue
            rgb = picture.mode == "RGB"
            pixels = picture.pixels if rgb else image_io.displayed(picture)
            yield Frame(pixels, path.stem, number * duration, duration)

    def names(self) -> Iterator[str]:
        """See :class:`Clip`."""
        return (path.stem for path in self.paths)


class VideoClip:
    """A video.

    Args:
        path: Of its file.

    Raises:
        UserError: If it cannot be read, or has no frames.
    """

    def __init__(self, path: str | Path) -> None:
        self.source = Path(path)
        with _open(self.source) as container:
            stream = _moving(container, self.source)
            first = next(self._decoded(container, stream, lambda error: None), None)
            if first is None:
                raise UserError(f"{path} has a video stream without a frame that can be decoded")
            #: When it begins by its own clock, in seconds.
            self.origin = Fraction(container.start_time or 0, 1_000_000)
            self.style = _style(stream, first)
            self.count = stream.frames or self._guessed_count(container)

    def _guessed_count(self, container: InputContainer) -> int | None:
        if container.duration is None:
            return None
        return round(container.duration * self.style.rate / 1_000_000)

    def names(self) -> Iterator[str]:
        """See :class:`Clip`."""
        return (_numbered(number) for number in count(1))

    def read(self, report: Report) -> Iterator[Frame]:
        """See :class:`Clip`; frames are named by their number, from 1 on.

        Times that a file lacks, or that go back, are replaced by the frame rate's.
        """
        style = self.style
        begin, end = Fraction(-1), Fraction(0)
        with _open(self.source) as container:
            stream = _moving(container, self.source)
            for number, picture in enumerate(self._decoded(container, stream, report), 1):
                unit = picture.time_base or style.time_base
                time = None if picture.pts is None else picture.pts * unit - self.origin
                if time is None or time <= begin:
                    time = end
                begin, end = time, time + (picture.duration * unit or 1 / style.rate)
                yield Frame(_pixels(picture, style), _numbered(number), begin, end - begin)

    def _decoded(
        self, container: InputContainer, stream: VideoStream, report: Report
    ) -> Iterator[av.VideoFrame]:
        import av

        packets = container.demux(stream)
        for number in count(1):
            packet = None
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                pictures = packet.decode()
            except av.FFmpegError as error:
                where = f"frame {number}{_seconds(packet)}"
                report(UserError(f"{self.source}: {where} cannot be decoded: {error.strerror}"))
                continue
            yield from pictures


def _open(path: Path) -> InputContainer:
    import av

    try:
        return av.open(str(path), metadata_errors="replace")
    except (av.FFmpegError, OSError) as error:
        raise UserError(f"{path} cannot be read as a video: {error.strerror}") from error


def _moving(container: InputContainer, path: Path) -> VideoStream:
    """The video stream; the cover of a song is none."""
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    raise UserError(f"{path} has no video stream")


def _style(stream: VideoStream, first: av.VideoFrame) -> Style:
    rate = stream.average_rate or stream.guessed_rate or DEFAULT_RATE
    aspect = stream.sample_aspect_ratio or Fraction(1)
    # What a file does not say, players take from the size.
    usual = _BT709 if first.width >= 1280 or first.height > 576 else _BT601
    return Style(
        rate=Fraction(rate),
        time_base=stream.time_base or 1 / Fraction(rate),
        codec=stream.codec.canonical_name,
        deep=max(component.bits for component in first.format.components) > 8,
        matrix=first.colorspace if first.colorspace in _MATRICES else usual,
        primaries=first.color_primaries,
        transfer=first.color_trc,
        pixel_aspect=1 / aspect if first.rotation % 180 else aspect,
    )


# FFmpeg's numbers of matrices that it converts with, and of two of them.
_MATRICES = (1, 4, 5, 6, 7, 9)
_BT709, _BT601 = 1, 6


def _pixels(picture: av.VideoFrame, style: Style) -> np.ndarray:
    """Upright pixels of a decoded frame in RGB."""
    pixels = picture.to_ndarray(
        format="rgb48le" if style.deep else "rgb24",
        src_colorspace=style.matrix,
        interpolation=_exactly(),
    )
    return np.ascontiguousarray(np.rot90(pixels, round(picture.rotation / 90)))


def _exactly() -> int:
    """How the scaler is to convert colours: not in the fastest way."""
    from av.video.reformatter import Interpolation as Way

    return Way.BICUBIC | Way.ACCURATE_RND | Way.FULL_CHR_H_INT | Way.FULL_CHR_H_INP


def _numbered(number: int) -> str:
    return f"{number:08d}"


def _seconds(packet: av.Packet | None) -> str:
    if packet is None or packet.pts is None or packet.time_base is None:
        return ""
    return f" (at {float(packet.pts * packet.time_base):.2f} s)"


# ------------------------------------------------------------------------------------------
# Writing


class Sink(Protocol):
    """Where frames go."""

    def write(self, pixels: np.ndarray, frame: Frame) -> None:
        """Write pixels (H, W, 3) with the name and the times of a frame."""


class PictureSink:
    """Frames as PNG files of a folder.

    Args:
        folder: Which is made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """The file of a frame of that name."""
        return self.folder / f"{name}.png"

    def write(self, pixels: np.ndarray, frame: Frame) -> None:
        """See :class:`Sink`."""
        image_io.write(self.path(frame.name), image_io.from_array(pixels))


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Say which file could not be written."""
    import av

    try:
        yield
    except (av.FFmpegError, OSError) as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error


@contextmanager
def interruptions_wait() -> Iterator[None]:
    """Let Ctrl-C take effect at the end of the block: a file is not left between two frames."""
    elsewhere = threading.current_thread() is not threading.main_thread()
    if elsewhere or signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield
        return
    caught: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: caught.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if caught:
        raise KeyboardInterrupt


@contextmanager
def video_sink(
    path: str | Path,
    clip: Clip,
    codec: str | None = None,
    crf: int | None = None,
    audio: bool = True,
) -> Iterator[VideoSink]:
    """A video that is complete when the block ends.

    If it ends by an error or an interruption, what was written until then is a video too, of
    that length; without a frame there is no file.

    Args:
        path: With an ending of :data:`WRITABLE`.
        clip: What the video is made from, whose :class:`Style` it gets.
        codec: Name as in :data:`CODECS`; None for the clip's, where it is one that the
            container takes, else for the container's first choice.
        crf: Quality in the codec's own scale, smaller is better; None for a good one.
        audio: Whether it also gets the clip's sound.

    Raises:
        UserError: If the container does not take the codec or the sound, or the file cannot
            be written.
    """
    path, failure = Path(path), None
    with ExitStack() as at_last, replacing(path) as temporary:
        sink = VideoSink(temporary, path, clip, codec, crf, audio)
        try:
            yield sink
        except BaseException as error:
            if not sink.count:
                sink.abandon()
                raise
            failure = error
        at_last.enter_context(interruptions_wait())  # a second Ctrl-C must not spoil the file
        sink.finish(whole=failure is None)
    if failure is not None:
        raise failure


class VideoSink:
    """A video that is being written; see :func:`video_sink`, which makes it.

    Attributes:
        count: Number of frames written.
    """

    def __init__(
        self,
        temporary: Path,
        path: Path,
        clip: Clip,
        codec: str | None,
        crf: int | None,
        audio: bool,
    ) -> None:
        import av

        self.count = 0
        self._style = clip.style
        self._durations: dict[int | None, int] = {}
        self._path = path
        kind, _ = WRITABLE[path.suffix.lower()]
        # An MP4 can then be played while it is loaded.
        options = {"movflags": "faststart"} if kind in ("mp4", "mov") else {}
        with _naming(path):
            self._container: OutputContainer = av.open(
                str(temporary), "w", format=kind, options=options
            )
        self._stream = self._add_video(path, codec, crf)
        self._sound = None
        if audio and isinstance(clip, VideoClip):
            self._sound = _Sound(clip, self._container, path)

    def write(self, pixels: np.ndarray, frame: Frame) -> None:
        """See :class:`Sink`. The last row and column of an odd size are doubled."""
        import av

        # Most players want chroma at half the resolution, which odd sizes do not have.
        margins = [(0, side % 2) for side in pixels.shape[:2]]
        pixels = np.pad(pixels, [*margins, (0, 0)], "edge")
        context, unit = self._stream.codec_context, self._style.time_base
        if not self.count:
            self._stream.height, self._stream.width = pixels.shape[:2]
        deep = pixels.dtype == np.uint16
        picture = av.VideoFrame.from_ndarray(pixels, format="rgb48le" if deep else "rgb24")
        picture = picture.reformat(
            format=context.pix_fmt,
            dst_colorspace=self._style.matrix,
            dst_color_range=_LIMITED,
            interpolation=_exactly(),
        )
        picture.time_base = unit
        picture.pts = round(frame.time / unit)
        self._durations[picture.pts] = round(frame.duration / unit)
        with _naming(self._path):
            self._mux(self._stream.encode(picture))
            if self._sound is not None:
                self._sound.copy_until(frame.time + frame.duration)
        self.count += 1

    def finish(self, whole: bool) -> None:
        """Write what is still to be written, and of the sound of a whole clip the rest."""
        with _naming(self._path):
            if self.count:
                self._mux(self._stream.encode(None))
            if self._sound is not None and whole:
                self._sound.copy_until(None)
            self._container.close()

    def _mux(self, packets: Iterable[av.Packet]) -> None:
        """Write packets of the encoder, which knows nothing of durations."""
        for packet in packets:
            packet.duration = self._durations.pop(packet.pts, packet.duration)
            self._container.mux(packet)

    def abandon(self) -> None:
        """Close the file without a frame."""
        self._container.close()

    def _add_video(self, path: Path, codec: str | None, crf: int | None) -> VideoStream:
        kind, usual = WRITABLE[path.suffix.lower()]
        known = self._container.supported_codecs
        if codec is None:
            codec = self._style.codec
            codec = codec if codec in CODECS and codec in known else usual
        if codec not in known:
            raise UserError(f"{path}: {kind} does not take {codec}; name a file ending in .mkv")
        os.environ.setdefault("SVT_LOG", "1")  # the encoder of av1 talks a lot
        encoder, options, worst = CODECS[codec]
        if crf is not None:
            if not 0 <= crf <= worst:
                raise UserError(f"the quality (crf) of {codec} is from 0 to {worst}, not {crf}")
            options = {**options, "crf": str(crf)}
        stream: Any = self._container.add_stream(encoder, rate=self._style.rate, options=options)
        stream.pix_fmt = "yuv420p10le" if self._style.deep else "yuv420p"
        context = stream.codec_context
        context.time_base = self._style.time_base
        context.sample_aspect_ratio = self._style.pixel_aspect
        context.colorspace, context.color_range = self._style.matrix, _LIMITED
        context.color_primaries = self._style.primaries
        context.color_trc = self._style.transfer
        if codec == "hevc" and kind in ("mp4", "mov"):
            context.codec_tag = "hvc1"  # Apple's players know no other
        return stream


_LIMITED = 1  # FFmpeg's number of the range 16 to 235


class _Sound:
    """Copies the sound of a video as it is, a second reader of its file."""

    def __init__(self, clip: VideoClip, target: OutputContainer, path: Path) -> None:
        self._target, self._origin = target, clip.origin
        self._source = _open(clip.source)
        self._copies = {}
        for stream in self._source.streams.audio:
            kind = stream.codec.canonical_name
            if kind not in target.supported_codecs:
                raise UserError(
                    f"{path} cannot hold the sound of {clip.source}, which is {kind}; name a "
                    "file ending in .mkv, or leave it out with --no-audio"
                )
            self._copies[stream.index] = target.add_stream_from_template(stream)
        self._packets = self._shifted()
        self._next = next(self._packets, None)

    def copy_until(self, end: Fraction | None) -> None:
        """Copy what begins before that time, or all."""
        while self._next is not None and (end is None or self._begin(self._next) < end):
            self._target.mux(self._next)
            self._next = next(self._packets, None)

    def _begin(self, packet: Any) -> Fraction:
        return packet.dts * packet.time_base

    def _shifted(self) -> Iterator[Any]:
        if not self._copies:
            return
        for packet in self._source.demux(*self._source.streams.audio):
            if packet.dts is None or packet.pts is None or packet.time_base is None:
                continue  # the end of a stream
            shift = round(self._origin / packet.time_base)
            packet.dts -= shift
            packet.pts -= shift
            packet.stream = self._copies[packet.stream_index]
            yield packet
