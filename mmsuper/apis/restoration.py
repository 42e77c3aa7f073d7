"""Super-resolve pictures of any size and mode with a network of a restoration project.

A network is a plain ``nn.Module``: (N, 3, H, W) in [0, 1] in, (N, 3, rH, rW) out. What it is
not made for is brought to it: grey is given as three equal channels, of which the mean
comes back; of CMYK the three colours go as if they were RGB and black as grey. Alpha is
enlarged by bicubic interpolation, which keeps wholly clear and wholly opaque areas so.

A picture over a size, or with ``tile``, is worked on in overlapping tiles. Of each tile
only what is far from its inner borders is kept, so that memory beyond the two pictures
themselves is that of one tile, whatever the picture.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from mmsuper.apis.devices import is_out_of_memory, pick_device
from mmsuper.data import image_io
from mmsuper.data.image_io import Picture
from mmsuper.data.resize import imresize
from mmsuper.errors import UserError

if TYPE_CHECKING:
    from torch import nn

DEFAULT_TILE = 512
DEFAULT_OVERLAP = 80

Progress = Callable[[int, int], None]
"""Called with the number of tiles done and the number of all tiles of the picture."""


class RestorationInferencer:
    """A network with its weights on a device, ready to be called on pictures.

    Example::

        enlarge = RestorationInferencer("dlgsanet")
        result = enlarge("photo.png")  # (4H, 4W, 3) uint8

    Args:
        model: Name of a model or of a paper (``python -m mmsuper list``), path of a config,
            or a network.
        weights: Checkpoint, ours or the authors'; the one that ships with the model if None.
            A network keeps the weights it has.
        device: ``auto`` (CUDA, else MPS, else CPU), or a device of PyTorch.
        tile: Longest side of what the network sees at once; 0 for the whole picture always;
            None for tiles of 512 when the picture has more pixels than one of them.
        overlap: How many pixels at a tile's inner border are computed but not kept.

    Raises:
        UserError: If the model, its weights, the device or the tiles are no valid choice.
    """

    def __init__(
        self,
        model: str | Path | nn.Module,
        weights: str | Path | None = None,
        device: str = "auto",
        tile: int | None = None,
        overlap: int = DEFAULT_OVERLAP,
    ) -> None:
        check_tiles(tile, overlap)
        self.tile = tile
        self.overlap = overlap
        self.device = pick_device(device)
        network = load_network(model, weights) if isinstance(model, str | Path) else model
        self.network = network.eval().to(self.device)
        # How much it enlarges is asked of the network itself, by the smallest of pictures.
        self.scale = self._run(np.zeros((8, 8, 3), np.float32)).shape[0] // 8

    def __call__(
        self, image: str | Path | np.ndarray, progress: Progress | None = None
    ) -> np.ndarray:
        """Enlarge one picture.

        Args:
            image: A file, or an array (H, W) or (H, W, C), uint8 or uint16, of grey, grey with
                alpha, RGB or RGBA.
            progress: See :data:`Progress`.

        Returns:
            Array of the same type and number of channels, ``scale`` times as high and wide;
            for a file (rH, rW, C) as :class:`~mmsuper.data.image_io.Picture` has it.

        Raises:
            UserError: If the file cannot be read or memory does not suffice.
        """
        if not isinstance(image, np.ndarray):
            return self.restore(image_io.read(image), progress).pixels
        pixels = self.restore(image_io.from_array(image), progress).pixels
        return pixels.reshape(*pixels.shape[:2], *image.shape[2:])

    def many(self, images: Iterable[str | Path | np.ndarray]) -> Iterator[np.ndarray]:
        """Enlarge pictures one after the other, each when it is asked for."""
        for image in images:
            yield self(image)

    def restore(self, picture: Picture, progress: Progress | None = None) -> Picture:
        """Enlarge a decoded picture; mode, depth, profile and EXIF stay."""
        try:
            return picture.with_pixels(self._in_tiles(picture, progress))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            height, width = picture.pixels.shape[:2]
            raise UserError(
                f"memory does not suffice for {width}x{height} pixels on {self.device}; "
                f"choose a smaller tile than {self.tile or max(height, width)} with --tile"
            ) from error

    def _in_tiles(self, picture: Picture, progress: Progress | None) -> np.ndarray:
        height, width = picture.pixels.shape[:2]

        def enlarge(pixels: np.ndarray, tile: Tile) -> np.ndarray:
            with _part_of(self.network, tile, (height, width)):
                return self._colours(pixels, picture.mode)

        size = self.tile
        if size is None:
            size = DEFAULT_TILE if height * width > DEFAULT_TILE**2 else 0
        tiles = split(height, width, size, self.overlap)
        return _enlarge(picture.pixels, self.scale, tiles, enlarge, progress)

    def _colours(self, pixels: np.ndarray, mode: str) -> np.ndarray:
        """Enlarge (H, W, C) levels, each kind of channel in its way."""
        values = image_io.to_float(pixels)
        if mode == "CMYK":  # ink to light, and back
            light = [self._run(1 - values[..., :3]), self._run(1 - values[..., 3:])]
            result = 1 - np.concatenate(light, axis=2)
        elif mode in ("LA", "RGBA"):
            colours = self._run(values[..., :-1])
            alpha = imresize(values[..., -1:], self.scale)
            result = np.concatenate([colours, alpha], axis=2)
        else:
            result = self._run(values)
        return image_io.from_float(result, pixels.dtype)

    def _run(self, values: np.ndarray) -> np.ndarray:
        """The network on (H, W, 3), or on (H, W, 1) as three equal channels."""
        grey = values.shape[2] == 1
        planes = torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))[None]
        with torch.inference_mode():
            result = self.network(planes.expand(-1, 3, -1, -1).to(self.device))[0].float()
        result = result.mean(0, keepdim=True) if grey else result
        return result.permute(1, 2, 0).cpu().numpy()


def bicubic(picture: Picture, scale: int) -> Picture:
    """Enlarge a picture as MATLAB does: what results are compared with."""

    def enlarge(pixels: np.ndarray, tile: Tile) -> np.ndarray:
        return image_io.from_float(imresize(image_io.to_float(pixels), scale), pixels.dtype)

    # The kernel reaches two pixels; tiles keep its float64 arithmetic from filling memory.
    height, width = picture.pixels.shape[:2]
    tiles = split(height, width, DEFAULT_TILE, overlap=2)
    return picture.with_pixels(_enlarge(picture.pixels, scale, tiles, enlarge))


def load_network(model: str | Path, weights: str | Path | None = None) -> nn.Module:
    """Build the network of a model or config and load its weights.

    Args:
        model: Name of a model or of a paper, or path of a config.
        weights: Checkpoint; the one that ships with the model if None.

    Raises:
        UserError: If there is no such model, config or checkpoint, or they do not fit.
    """
    from mmsuper import checkpoint, configuration
    from mmsuper.apis.models import locate
    from mmsuper.compat.mmengine import light_optim
    from mmsuper.registry import MODELS

    path, weights = locate(model, weights)
    # Read, not loaded, and the class itself, not built through the registry: both spare the
    # import of the libraries that only training needs, as does the next line.
    light_optim()
    options = dict(configuration.read(path).model.generator)
    kind = options.pop("type")
    cls = MODELS.get(kind)
    if cls is None:
        raise UserError(f"{path}: {kind} is no network of mmsuper")
    network = cls(**options)
    checkpoint.load_weights(network, weights)
    return network


Box = tuple[slice, slice]


@dataclass(frozen=True)
class Tile:
    """What the network sees of a picture at once, and what is kept of it.

    Attributes:
        seen: Rows and columns of the picture that the network sees.
        kept: Rows and columns of the picture whose result is kept.
    """

    seen: Box
    kept: Box

    @property
    def kept_of_seen(self) -> Box:
        """``kept`` in coordinates of ``seen``."""
        rows, columns = (
            slice(kept.start - seen.start, kept.stop - seen.start)
            for kept, seen in zip(self.kept, self.seen, strict=True)
        )
        return rows, columns


def split(height: int, width: int, size: int, overlap: int) -> list[Tile]:
    """Cut a picture into overlapping tiles; what they keep covers it once, without gaps.

    Args:
        height: Of the picture.
        width: Of the picture.
        size: Longest side of what is seen; 0 for one tile.
        overlap: At least so much lies between a kept pixel and an inner border of its tile.
    """
    rows, columns = (_split_axis(length, size, overlap) for length in (height, width))
    return [
        Tile((row[0], column[0]), (row[1], column[1])) for row, column in product(rows, columns)
    ]


def _split_axis(length: int, size: int, overlap: int) -> list[tuple[slice, slice]]:
    """``(seen, kept)`` of each tile of an axis, all of the same length, spread evenly."""
    if size == 0 or length <= size:
        return [(slice(0, length), slice(0, length))]
    count = 1 + -(-(length - size) // (size - 2 * overlap))
    starts = [i * (length - size) // (count - 1) for i in range(count)]
    # Neighbours share their overlap half and half.
    middles = [(left + size + right) // 2 for left, right in pairwise(starts)]
    edges = [0, *middles, length]
    return [
        (slice(start, start + size), slice(*edge))
        for start, edge in zip(starts, pairwise(edges), strict=True)
    ]


def check_tiles(tile: int | None, overlap: int) -> None:
    """Raise UserError if nothing is left of a tile without what overlaps."""
    if overlap < 0 or (tile or 0) < 0:
        raise UserError("tile and overlap are numbers of pixels, not negative")
    if tile != 0 and (tile or DEFAULT_TILE) <= 2 * overlap:
        raise UserError(
            f"nothing is left of tiles of {tile or DEFAULT_TILE} pixels with an overlap of "
            f"{overlap} on each side; the overlap must be less than half the tile"
        )


def _enlarge(
    pixels: np.ndarray,
    scale: int,
    tiles: list[Tile],
    enlarge: Callable[[np.ndarray, Tile], np.ndarray],
    progress: Progress | None = None,
) -> np.ndarray:
    """Put together what ``enlarge`` makes of each tile."""
    height, width, channels = pixels.shape
    out = np.empty((scale * height, scale * width, channels), pixels.dtype)
    for done, tile in enumerate(tiles, 1):
        result = enlarge(pixels[tile.seen], tile)
        out[scaled(tile.kept, scale)] = result[scaled(tile.kept_of_seen, scale)]
        if progress is not None:
            progress(done, len(tiles))
    return out


def _part_of(
    network: nn.Module, tile: Tile, whole: tuple[int, int]
) -> contextlib.AbstractContextManager:
    """Tell a network whose result depends on it where in the picture a tile lies."""
    part_of = getattr(network, "part_of", None)
    if part_of is None:
        return contextlib.nullcontext()
    return part_of(tile.seen[0].start, tile.seen[1].start, *whole)


def scaled(box: Box, scale: int) -> Box:
    """Where a part of a picture is in the enlarged picture."""
    rows, columns = (slice(scale * part.start, scale * part.stop) for part in box)
    return rows, columns
