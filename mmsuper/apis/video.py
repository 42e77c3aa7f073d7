"""Super-resolve clips of any length with a network of a video project.

A project whose network takes clips has a module ``streaming`` with up to three ways to go
through one, of which the first keeps memory bounded whatever the length:

- ``bounded``: frames come out while others come in; an approximation, see its look-ahead;
- ``stored``: the whole clip's result, with what the way back through time made kept in host
  memory or in files;
- ``recomputed``: the same result, with most of that made again when it is needed.

Large frames may be cut into overlapping tiles. Each is a clip of its own; all of them go
forward together, so that a frame comes out when the last of its tiles does.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from mmsuper.apis.devices import is_out_of_memory, pick_device
from mmsuper.apis.restoration import Tile, check_tiles, load_network, scaled, split
from mmsuper.data import image_io
from mmsuper.errors import UserError

if TYPE_CHECKING:
    from torch import nn

MODES = ("bounded", "stored", "recomputed")
LOOK_AHEAD, KEY_FRAMES = 15, 10
DEFAULT_OVERLAP = 32

Progress = Callable[[float], None]
"""Called after each step of the network, one frame in one direction, with 1, or of a tile with
its share of 1."""


class VideoInferencer:
    """A network with its weights on a device, ready to be called on clips.

    Example::

        enlarge = VideoInferencer("ttvsr")
        clip = video_io.open_clip(["holiday.mp4"])
        with video_io.video_sink("holiday_x4.mp4", clip) as sink:
            frames = clip.read(print), clip.read(print)
            for frame, pixels in zip(frames[0], enlarge(f.pixels for f in frames[1])):
                sink.write(pixels, frame)

    Args:
        model: Name of a model or of a paper (``python -m mmsuper list``), path of a config,
            or a network.
        weights: Checkpoint, ours or the authors'; the one that ships with the model if None.
            A network keeps the weights it has.
        device: ``auto`` (CUDA, else MPS, else CPU), or a device of PyTorch.
        mode: One of :data:`MODES`.
        look_ahead: Bounded: each frame sees at least so many later ones.
        key_frames: Bounded: attention goes back to so many key frames.
        cache_folder: Exact modes: where to keep in files what they keep; None for host memory.
        tile: Longest side of what the network sees at once; 0 for whole frames.
        overlap: How many pixels at a tile's inner border are computed but not kept.

    Raises:
        UserError: If the model, its weights, the device or a number are no valid choice.
    """

    def __init__(
        self,
        model: str | Path | nn.Module,
        weights: str | Path | None = None,
        device: str = "auto",
        mode: str = "bounded",
        look_ahead: int = LOOK_AHEAD,
        key_frames: int = KEY_FRAMES,
        cache_folder: str | Path | None = None,
        tile: int = 0,
        overlap: int = DEFAULT_OVERLAP,
    ) -> None:
        check_tiles(tile, overlap)
        if mode not in MODES:
            raise UserError(f"there is no mode {mode!r}; choose from: {', '.join(MODES)}")
        if look_ahead < 1 or key_frames < 1:
            raise UserError("look-ahead and key frames are numbers of at least 1")
        self.mode, self.look_ahead, self.key_frames = mode, look_ahead, key_frames
        self.cache_folder = cache_folder
        self.tile, self.overlap = tile, overlap
        self.device = pick_device(device)
        network = load_network(model, weights) if isinstance(model, str | Path) else model
        self.network = network.eval().to(self.device)
        self._way = getattr(_streaming(network), mode)
        # How much it enlarges is asked of the network itself, by the smallest of clips.
        with torch.inference_mode():
            smallest = torch.zeros(1, 1, 3, 8, 8, device=self.device)
            self.scale = self.network(smallest).shape[-1] // 8

    def __call__(
        self, frames: Iterable[np.ndarray], skip: int = 0, progress: Progress | None = None
    ) -> Iterator[np.ndarray]:
        """Enlarge a clip.

        Args:
            frames: Each (H, W, 3), uint8 or uint16, RGB.
            skip: So many frames at the begin are seen but not given.
            progress: See :data:`Progress`.

        Yields:
            Frames (rH, rW, 3) of the same type; r is ``scale``.

        Raises:
            UserError: If a frame has another size than the first, or memory does not suffice.
        """
        arriving = iter(frames)
        first = next(arriving, None)
        if first is None:
            return
        height, width = first.shape[:2]
        tiles = split(height, width, self.tile, self.overlap)
        feeds = _fan_out(_of_one_size(chain([first], arriving)), len(tiles))
        options = self._options(len(tiles)) | {"skip": skip}
        streams = [self._stream(*pair, options) for pair in zip(tiles, feeds, strict=True)]
        with self._watched(progress, len(tiles)), self._naming_memory(height, width):
            for parts in zip(*streams, strict=True):
                out = np.empty((self.scale * height, self.scale * width, 3), first.dtype)
                for tile, part in zip(tiles, parts, strict=True):
                    kept = part[scaled(tile.kept_of_seen, self.scale)]
                    out[scaled(tile.kept, self.scale)] = image_io.from_float(kept, first.dtype)
                yield out

    def steps(self, frames: int, skip: int = 0) -> int:
        """How many steps of the network a clip takes, however many tiles each frame has.

        Args:
            frames: Of the clip.
            skip: Of these, how many are not to be given.
        """
        if self.mode != "bounded":
            return {"stored": 2, "recomputed": 3}[self.mode] * frames
        skipped = skip // self.look_ahead * self.look_ahead
        seen = frames - skipped
        return frames + 2 * seen - min(self.look_ahead, seen)

    def _options(self, tiles: int) -> dict:
        """What the way through a clip is told. Of many tiles, only one is on the device."""
        if self.mode != "bounded":
            return {"folder": self.cache_folder}
        numbers = {"look_ahead": self.look_ahead, "key_frames": self.key_frames}
        return {**numbers, "off_device": tiles > 1}

    def _stream(
        self, tile: Tile, frames: Iterator[np.ndarray], options: dict
    ) -> Iterator[np.ndarray]:
        """What the network makes of a tile of each frame, (rh, rw, 3) in [0, 1]."""
        inputs = (_to_tensor(frame[tile.seen]) for frame in frames)
        for out in self._way(self.network, inputs, **options):
            yield out[0].permute(1, 2, 0).float().cpu().numpy()

    @contextmanager
    def _watched(self, progress: Progress | None, tiles: int) -> Iterator[None]:
        """Tell of every step while the block runs; a step goes through the trunk once."""
        if progress is None:
            yield
            return
        trunk: Any = self.network.trunk
        handle = trunk.register_forward_hook(lambda *_: progress(1 / tiles))
        try:
            yield
        finally:
            handle.remove()

    @contextmanager
    def _naming_memory(self, height: int, width: int) -> Iterator[None]:
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise UserError(
                f"memory does not suffice for frames of {width}x{height} pixels on "
                f"{self.device}; choose a smaller tile than {self.tile or max(height, width)} "
                "with --tile"
            ) from error


def _streaming(network: nn.Module) -> ModuleType:
    """The module that goes through clips, beside the network's."""
    name = f"{type(network).__module__.rpartition('.')[0]}.streaming"
    if not importlib.util.find_spec(name):
        raise UserError(f"{type(network).__name__} is no network for clips")
    return importlib.import_module(name)


def _to_tensor(pixels: np.ndarray) -> Tensor:
    """(H, W, 3) levels to (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(image_io.to_float(pixels)).permute(2, 0, 1)[None]


def _of_one_size(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    size = None
    for number, frame in enumerate(frames, 1):
        size = size or frame.shape
        if frame.shape != size:
            raise UserError(
                f"frame {number} has {frame.shape[1]}x{frame.shape[0]} pixels, those before "
                f"{size[1]}x{size[0]}; all frames of a clip must be of one size"
            )
        yield frame


def _fan_out(frames: Iterable[np.ndarray], readers: int) -> list[Iterator[np.ndarray]]:
    """Iterators over the same frames; what all of them have passed is forgotten."""
    arriving = iter(frames)
    queues: list[deque[np.ndarray]] = [deque() for _ in range(readers)]

    def read(queue: deque[np.ndarray]) -> Iterator[np.ndarray]:
        while True:
            if not queue:
                frame = next(arriving, None)
                if frame is None:
                    return
                for each in queues:
                    each.append(frame)
            yield queue.popleft()

    return [read(queue) for queue in queues]
