"""What the bounded mode costs in quality: PSNR by its look-ahead and its number of key frames.

    python benchmarks/ttvsr_bounded.py
    python benchmarks/ttvsr_bounded.py --model ttvsr_reds4 --weights TTVSR_REDS.pth --frames 100

The clips are rides of a camera over held-out photographs, longer ones than those of the sample
data. The exact way is the network's own result, of which the bounded mode is an approximation.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mmsuper.apis.video import VideoInferencer
from mmsuper.data.resize import imresize
from mmsuper.data.samples.restoration import HELD_OUT, camera_ride
from mmsuper.data.samples.sources import picture
from mmsuper.evaluation.functional import psnr


def main() -> None:
    arguments = parse()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    clips = {name: clip(name, arguments.frames) for name in arguments.clips}
    ways = [(m, k) for m in arguments.look_ahead for k in arguments.key_frames]
    title = f"{arguments.frames} frames: PSNR in dB (RGB), and of its frames the worst loss"
    table = Table("look-ahead", "key frames", *clips, title=title)
    exact = [each(clips[name], arguments, mode="stored") for name in clips]
    table.add_row("exact", "all", *(f"{np.mean(values):.3f}" for values in exact))
    for look_ahead, key_frames in track(ways, "bounded", console=Console(stderr=True)):
        options = {"look_ahead": look_ahead, "key_frames": key_frames}
        cells = []
        for name, truth in zip(clips, exact, strict=True):
            lost = each(clips[name], arguments, mode="bounded", **options) - truth
            cells.append(f"{lost.mean():+.3f} ({lost.min():+.3f})")
        table.add_row(str(look_ahead), str(key_frames), *cells)
    Console(width=120).print(table)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="ttvsr")
    parser.add_argument("--weights", help="default: those that ship with the model")
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--clips", nargs="+", default=["astronaut", "coffee"], choices=HELD_OUT)
    parser.add_argument("--look-ahead", nargs="+", type=int, default=[1, 5, 15, 30])
    parser.add_argument("--key-frames", nargs="+", type=int, default=[1, 3, 10])
    parser.add_argument("--threads", type=int, help="by default all cores")
    return parser.parse_args()


def clip(name: str, frames: int) -> list[np.ndarray]:
    """A true clip of 256x320 pixels."""
    return camera_ride(picture(*HELD_OUT[name]), np.random.default_rng(0), frames)


def each(truth: Iterable[np.ndarray], arguments: argparse.Namespace, **options: Any) -> np.ndarray:
    """PSNR of every frame, enlarged from a quarter of its size."""
    enlarge = VideoInferencer(arguments.model, arguments.weights, **options)
    enlarged = enlarge(imresize(frame, 1 / 4) for frame in truth)
    pairs = zip(enlarged, truth, strict=True)
    return np.array([psnr(ours, theirs) for ours, theirs in pairs])


if __name__ == "__main__":
    main()
