"""Enlarging clips that do not fit into memory: frames in, frames out.

Each of the three ways takes an iterable of frames and gives an iterator of enlarged ones.
Let u be a map of the network's 64 channels (14.7 MB for a frame of 320x180, in float32) and
T the number of frames.

- :func:`stored` gives what the whole clip gives. It keeps off the device, in host memory or
  in files, 5/3 u a frame: the states of the backward pass, features and states of key frames.
- :func:`recomputed` gives the same. It keeps off the device 2/3 u a frame, the key frames,
  and on it about 2 sqrt(T) u; it goes through the clip backward twice.
- :func:`bounded` gives an approximation, the better the more frames it may see. It keeps
  nothing but frames ahead, their states and some key frames, whatever T is, and is the one
  for streams without end; each frame is gone through backward twice.

But for this, the device holds what one frame needs. The exact ways wait for the last frame
before the first comes out, keep all frames off the device too, and compare each token with
all key frames, so that their time for a frame grows with the clip.
"""

from __future__ import annotations

import copy
import math
import tempfile
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mmsuper.errors import UserError
from mmsuper.projects.ttvsr.network import TTVSR, KeyFrame, Memory, TokenGrid

# ------------------------------------------------------------------------------------------
# Keeping tensors off the device


class Shelf:
    """Keeps tensors in host memory or in files, until nobody asks for them any more.

    Args:
        folder: Where to make a folder for the files, which is removed with this object;
            None for host memory.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self._numbers = count()
        self._folder = None if folder is None else tempfile.TemporaryDirectory(dir=folder)

    def put(self, x: Tensor) -> Kept:
        """Put a tensor there, which is not to change any more."""
        if self._folder is None:
            return Kept(x.cpu())
        path = Path(self._folder.name, str(next(self._numbers)))
        torch.save(x.cpu().clone(), path)
        return Kept(path)


class Kept:
    """A tensor on a :class:`Shelf`, as itself or as a file that goes with this object."""

    def __init__(self, content: Tensor | Path) -> None:
        self._content = content
        if isinstance(content, Path):
            weakref.finalize(self, content.unlink, missing_ok=True)

    def get(self) -> Tensor:
        """The tensor, in host memory; of a file, what is looked at is read."""
        if isinstance(self._content, Path):
            return torch.load(self._content, mmap=True, weights_only=True)
        return self._content


class ShelvedKeyFrame(KeyFrame):
    """A key frame that comes to the device when it is looked at, of its state only a part."""

    def __init__(self, key_frame: KeyFrame, shelf: Shelf) -> None:
        self.grid = key_frame.grid
        self._keys, self._state = shelf.put(key_frame.keys), shelf.put(key_frame.state)

    @property
    def keys(self) -> Tensor:
        """See :class:`KeyFrame`; on the device."""
        return self._keys.get().to(self.grid.device)

    @property
    def state(self) -> Tensor:
        """See :class:`KeyFrame`; in host memory."""
        return self._state.get()


class ShelvedMemory(Memory):
    """A memory whose key frames are on a shelf."""

    def __init__(self, grid: TokenGrid, shelf: Shelf, limit: int | None = None) -> None:
        super().__init__(grid, limit)
        self._shelf = shelf

    def remember(self, key_frame: KeyFrame) -> None:
        """See :class:`Memory`."""
        super().remember(ShelvedKeyFrame(key_frame, self._shelf))


class ShelvedClip(Sequence[Tensor]):
    """The frames of a clip, on a shelf."""

    def __init__(self, frames: Iterable[Tensor], shelf: Shelf) -> None:
        self._kept = []
        for frame in frames:
            self._device = frame.device
            self._kept.append(shelf.put(frame))

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, i: int) -> Tensor:
        return self._kept[i].get().to(self._device)


# ------------------------------------------------------------------------------------------
# The three ways


def _of_any_frames(way: Callable[..., Iterator[Tensor]]) -> Callable[..., Iterator[Tensor]]:
    """Let a way take frames that are small, or elsewhere, or none, and check their size."""

    @wraps(way)
    @torch.no_grad()
    def enlarge(
        network: TTVSR, frames: Iterable[Tensor], *args: Any, **options: Any
    ) -> Iterator[Tensor]:
        frames = iter(frames)
        first = next(frames, None)
        if first is None:
            return
        height, width = first.shape[-2:]
        prepared = _prepared(network, chain([first], frames), first.shape)
        for enlarged in way(network, prepared, *args, **options):
            yield enlarged[..., : 4 * height, : 4 * width]

    return enlarge


@_of_any_frames
def stored(
    network: TTVSR, frames: Iterable[Tensor], folder: str | Path | None = None, skip: int = 0
) -> Iterator[Tensor]:
    """Enlarge a clip exactly, with all states of the backward pass kept off the device.

    Args:
        network: In evaluation mode.
        frames: Each (N, 3, H, W), RGB in [0, 1].
        folder: Where to keep frames, states and key frames in files; None for host memory.
        skip: So many frames at the begin are seen but not given.

    Yields:
        Enlarged frames (N, 3, 4H, 4W), the first after all have been read.

    Raises:
        UserError: If a frame has another size than the first.
    """
    shelf = Shelf(folder)
    clip = ShelvedClip(frames, shelf)
    grid = network.start(clip[0]).grid
    backward = _backward(network, ShelvedMemory(grid, shelf), clip, 0, len(clip))
    later = [shelf.put(state) for state in backward]
    states = (later.pop().get().to(grid.device) for _ in clip)
    memory = ShelvedMemory(grid, shelf)
    yield from _forward(network, memory, zip(clip, states, strict=True), skip)


@_of_any_frames
def recomputed(
    network: TTVSR, frames: Iterable[Tensor], folder: str | Path | None = None, skip: int = 0
) -> Iterator[Tensor]:
    """Enlarge a clip exactly, with states of the backward pass computed again when needed.

    Args:
        network: See :func:`stored`.
        frames: See :func:`stored`.
        folder: Where to keep frames and key frames in files; None for host memory.
        skip: See :func:`stored`.

    Yields:
        See :func:`stored`.

    Raises:
        UserError: See :func:`stored`.
    """
    shelf = Shelf(folder)
    clip = ShelvedClip(frames, shelf)
    grid = network.start(clip[0]).grid
    length = math.isqrt(len(clip) - 1) + 1
    parts = [(begin, min(begin + length, len(clip))) for begin in range(0, len(clip), length)]
    memory = ShelvedMemory(grid, shelf)
    before = []  # the memories with which the backward pass enters the parts
    for begin, end in reversed(parts):
        before.append(copy.copy(memory))
        deque(_backward(network, memory, clip, begin, end), maxlen=0)
    del memory

    def states() -> Iterator[Tensor]:
        for begin, end in parts:
            yield from reversed([*_backward(network, before.pop(), clip, begin, end)])

    memory = ShelvedMemory(grid, shelf)
    yield from _forward(network, memory, zip(clip, states(), strict=True), skip)


@_of_any_frames
def bounded(
    network: TTVSR,
    frames: Iterable[Tensor],
    look_ahead: int = 15,
    key_frames: int = 10,
    skip: int = 0,
    off_device: bool = False,
) -> Iterator[Tensor]:
    """Enlarge a clip of any length, or without end, in memory and time that do not grow.

    Args:
        network: See :func:`stored`.
        frames: See :func:`stored`.
        look_ahead: Each frame sees at least so many later ones. Frames come out in parts
            of this length, each when the next has been read.
        key_frames: Attention goes back to so many key frames.
        skip: See :func:`stored`. Parts without a frame to give are gone through forward only,
            for what later ones remember of them.
        off_device: Keep states and key frames in host memory, where many clips of a small
            device go forward together; slower.

    Yields:
        Enlarged frames (N, 3, 4H, 4W). They are those of the exact ways if ``look_ahead``
        and ``key_frames`` reach over the whole clip, otherwise an approximation.

    Raises:
        UserError: See :func:`stored`.
    """
    if look_ahead < 1 or key_frames < 1:
        raise UserError("look_ahead and key_frames must be at least 1")
    arriving = iter(frames)
    part = [*islice(arriving, look_ahead)]
    grid, shelf = network.start(part[0]).grid, Shelf()
    keep = shelf.put if off_device else Kept

    def start() -> Memory:
        if off_device:
            return ShelvedMemory(grid, shelf, key_frames)
        return Memory(grid, key_frames)

    def pairs(part: list[Tensor]) -> Iterator[tuple[Tensor, Tensor | None]]:
        end = 0
        while part:
            end += len(part)
            ahead = [*islice(arriving, look_ahead)]
            if end <= skip:
                yield from ((frame, None) for frame in part)
            else:
                window = part + ahead
                states = map(keep, _backward(network, start(), window, 0, len(window)))
                later = deque(states, maxlen=len(part))
                for frame in part:
                    yield frame, later.pop().get().to(grid.device)
            part = ahead

    yield from _forward(network, start(), pairs(part), skip)


# ------------------------------------------------------------------------------------------
# Their steps


def _backward(
    network: TTVSR, memory: Memory, clip: Sequence[Tensor], begin: int, end: int
) -> Iterator[Tensor]:
    """States of some frames in the backward pass, the last first."""
    for i in range(end - 1, begin - 1, -1):
        flow = None if memory.state is None else network.spynet(clip[i], clip[i + 1])
        key = i > 0 and (len(clip) - 1 - i) % network.frame_stride == 0
        yield network.step(memory, network.features(clip[i]), flow, key)


def _forward(
    network: TTVSR, memory: Memory, pairs: Iterable[tuple[Tensor, Tensor | None]], skip: int
) -> Iterator[Tensor]:
    """Enlarged frames, of frames and their states in the backward pass, after the skipped."""
    previous = None
    for i, (frame, later) in enumerate(pairs):
        feature = network.features(frame)
        flow = None if previous is None else network.spynet(frame, previous)
        state = network.step(memory, feature, flow, i % network.frame_stride == 0)
        if i >= skip:
            yield network.reconstruct(frame, later, feature, state)
        previous = frame


def _prepared(network: TTVSR, frames: Iterable[Tensor], shape: torch.Size) -> Iterator[Tensor]:
    """Frames as the network takes them, where it is."""
    for number, frame in enumerate(frames, start=1):
        if frame.shape != shape:
            raise UserError(
                f"frame {number} is of shape {tuple(frame.shape)}, those before of {tuple(shape)}; "
                "all frames of a clip must be of one size"
            )
        frame = frame.to(network.trunk[0].weight)
        yield network.prepare(frame[None])[0].contiguous(memory_format=torch.channels_last)
