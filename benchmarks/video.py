"""A long video through ``infer``: its memory must not grow, its file must be whole.

    python benchmarks/video.py                       # 100 and 500 frames of 64x64: minutes
    python benchmarks/video.py --frames 50 200 --size 96 --blocks 3
    python benchmarks/video.py --model ttvsr --keep work_dirs/video

Makes videos with sound of a camera that circles over a photograph, enlarges each with the
command as a user types it, and looks at the peak resident memory of that process and at what
is in its file. The exit code is 1 if a peak is over the bound, or a file lacks something. The
network has random weights, unless ``--model`` names another: memory does not depend on them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from rich.console import Console
from rich.table import Table

RATE, SOUND_RATE = Fraction(25), 48000


def main() -> None:
    arguments = parse()
    table = Table(
        "frames", "frames/s", "peak MB", "bound MB", "in the file", title="infer, bounded"
    )
    console = Console(stderr=True)
    whole = True
    place = nullcontext(arguments.keep) if arguments.keep else tempfile.TemporaryDirectory()
    with place as folder:
        root = Path(folder)
        root.mkdir(parents=True, exist_ok=True)
        model = [arguments.model] if arguments.model else random_network(root, arguments)
        for frames in arguments.frames:
            source = make_video(root / f"{frames}.mp4", frames, arguments.size)
            target = root / f"{frames}_x4.mp4"
            seconds, peak = run([*model, source, "-o", target, "--overwrite", *arguments.flags])
            before, after = probe(source), probe(target)
            whole &= before == after and peak <= arguments.bound
            table.add_row(
                f"{frames}", f"{frames / seconds:.2f}", f"{peak}", f"{arguments.bound}", f"{after}"
            )
            console.print(f"{frames} frames: {peak} MB, {after}")
    Console(width=120).print(table)
    sys.exit(0 if whole else 1)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", nargs="+", type=int, default=[100, 500])
    parser.add_argument("--size", type=int, default=64, help="height and width of frames")
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--blocks", type=int, default=1)
    parser.add_argument("--model", help="a model or config with weights, instead of a random one")
    parser.add_argument("--bound", type=int, default=1000, help="of resident memory, in MB")
    parser.add_argument("--keep", metavar="FOLDER", help="for the videos; default: none are kept")
    parser.add_argument("flags", nargs="*", help="more flags of infer, after --")
    return parser.parse_args()


def random_network(root: Path, arguments: argparse.Namespace) -> list[str | Path]:
    """Words of a command line that name a network with random weights."""
    import torch

    from mmsuper import checkpoint
    from mmsuper.projects.ttvsr.network import TTVSR

    options = {"mid_channels": arguments.channels, "num_blocks": arguments.blocks}
    config, weights = root / "random_video.py", root / "random.safetensors"
    config.write_text(f"model = dict(generator=dict(type='mmsuper.TTVSR', **{options}))\n")
    torch.manual_seed(0)
    checkpoint.save(weights, TTVSR(**options).state_dict())
    return [config, "--weights", weights]


def run(words: list[str | Path]) -> tuple[float, int]:
    """Seconds and peak resident megabytes of one command."""
    begin = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "mmsuper", "infer", *map(str, words)])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"infer ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - begin, usage.ru_maxrss // 1000


@dataclass(frozen=True)
class Content:
    """What is in a video."""

    frames: int
    rate: Fraction
    sound: str
    packets: int

    def __str__(self) -> str:
        return f"{self.frames} frames, {self.rate} a second, {self.packets} packets of {self.sound}"


def probe(path: Path) -> Content:
    """Decode a video and count."""
    with av.open(str(path)) as container:
        rate = container.streams.video[0].average_rate
        frames = sum(1 for _ in container.decode(video=0))
    with av.open(str(path)) as container:
        sound = container.streams.audio[0]
        packets = sum(1 for packet in container.demux(sound) if packet.size)
        return Content(frames, rate, sound.codec.name, packets)


def make_video(path: Path, frames: int, size: int) -> Path:
    """A camera circles over a photograph, to a tone of 440 Hz."""
    from mmsuper.data.resize import imresize
    from mmsuper.data.samples.sources import picture

    photograph = imresize(picture("china.jpg", "sklearn"), 0.5)
    room = np.array(photograph.shape[:2]) - size
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "12"})
        stream.height = stream.width = size
        sound = container.add_stream("aac", rate=SOUND_RATE, layout="mono")
        for i in range(frames):
            turn = np.array([np.sin(i / 23), np.cos(i / 37)])
            top, left = (room * (1 + turn) / 2).astype(int)
            view = np.ascontiguousarray(photograph[top : top + size, left : left + size])
            frame = av.VideoFrame.from_ndarray(view, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for i in range(round(frames / RATE * SOUND_RATE / 1024)):
            times = np.arange(1024 * i, 1024 * (i + 1)) / SOUND_RATE
            wave = 0.2 * np.sin(2 * np.pi * 440 * times).astype(np.float32)
            tone = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
            tone.rate, tone.pts = SOUND_RATE, 1024 * i
            container.mux(sound.encode(tone))
        container.mux(sound.encode(None))
    return path


if __name__ == "__main__":
    main()
