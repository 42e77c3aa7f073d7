"""What tiles of a clip change: the difference to whole frames, by the overlap.

    python benchmarks/video_seams.py --weights demo/weights/ttvsr-tiny_x4_sample.safetensors

A camera moves over a photograph by some pixels a frame; the clip is enlarged whole, and as a left
and a right half with several overlaps. Differences are in levels of 8 bits: the largest, and the
mean over pixels within 8 input pixels of the seam and elsewhere.
"""

from __future__ import annotations

import argparse

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mmsuper.apis.restoration import load_network
from mmsuper.apis.video import VideoInferencer
from mmsuper.data.resize import imresize
from mmsuper.data.samples.sources import picture


def main() -> None:
    arguments = parse()
    network = load_network(arguments.model, arguments.weights)
    frames = clip(arguments)
    whole = enlarge(network, frames)
    error = np.abs(whole - bicubic(frames)).mean()
    height, width = frames[0].shape[:2]
    title = f"{len(frames)} frames of {width}x{height}, {arguments.speed} pixels a frame"
    table = Table("overlap", "largest", "mean at the seam", "elsewhere", title=title)
    near = abs(np.arange(4 * width) - 2 * width) < 32
    for overlap in track(arguments.overlaps, console=Console(stderr=True)):
        tiled = enlarge(network, frames, tile=width // 2 + overlap, overlap=overlap)
        difference = np.abs(tiled - whole)
        means = difference[:, :, near].mean(), difference[:, :, ~near].mean()
        table.add_row(f"{overlap}", f"{difference.max():.0f}", *(f"{mean:.3f}" for mean in means))
    Console().print(table)
    Console().print(f"For comparison, bicubic differs from the network by {error:.3f} in the mean.")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="configs/ttvsr/ttvsr-tiny_x4_sample.py")
    parser.add_argument("--weights", required=True)
    parser.add_argument("--size", default="64x192", metavar="HxW", help="H at most half of W")
    parser.add_argument("--frames", type=int, default=12)
    parser.add_argument("--speed", type=int, default=2)
    parser.add_argument("--overlaps", nargs="+", type=int, default=[0, 8, 16, 32])
    return parser.parse_args()


def clip(arguments: argparse.Namespace) -> list[np.ndarray]:
    height, width = map(int, arguments.size.split("x"))
    photograph = imresize(picture("motorcycle_left.png"), 0.5)
    lefts = range(0, arguments.frames * arguments.speed, arguments.speed)
    return [np.ascontiguousarray(photograph[20 : 20 + height, x : x + width]) for x in lefts]


def enlarge(network: object, frames: list[np.ndarray], **tiles: int) -> np.ndarray:
    return np.stack([*VideoInferencer(network, **tiles)(frames)]).astype(np.float32)


def bicubic(frames: list[np.ndarray]) -> np.ndarray:
    return np.stack([imresize(frame, 4) for frame in frames]).astype(np.float32)


if __name__ == "__main__":
    main()
