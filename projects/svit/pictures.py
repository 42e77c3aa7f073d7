"""Pictures of super tokens: which tokens they are made of, and what they attend to.

For the last block of each stage, on the picture as the network sees it, one sheet with

- the plain grid of cells, and the super tokens that tokens belong to most after association,
  in the same colours (paper figure 4); tokens that belong most to a neighbour outside of the
  grid are black;
- for one chosen token the nine super tokens that it may belong to, and for its super token
  the tokens that belong to it;
- the attention of this super token, mean of all heads, in both directions: what it attends
  to, and what attends to it. (The authors' script draws the latter.)

Heat is scaled to the largest value of each map. Maps are taken by their place in the grid,
so nothing at a border runs over to the other side.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import nn

from mmsuper.projects.svit.network import OFFSETS, SuperTokenMaps, SViT, super_token_maps
from mmsuper.visualization.comparison import side_by_side

# Width of each picture on a sheet, in pixels.
PANEL = 480


def super_token_sheets(
    model: nn.Module, batch: dict[str, Any], pixel: tuple[int, int]
) -> dict[str, np.ndarray]:
    """Run a model's backbone on one picture and draw every stage.

    Args:
        model: A host library's model with a :class:`SViT` as ``backbone``.
        batch: What its ``test_step`` takes, of one picture: ``inputs`` a list of one uint8
            tensor (3, H, W) in BGR.
        pixel: Row and column in it, of the token whose maps are drawn.

    Returns:
        ``{"stage1": sheet (H', W', 3) uint8, RGB}`` and so on.
    """
    image = batch["inputs"][0].flip(0).permute(1, 2, 0).cpu().numpy()
    backbone: SViT = model.backbone
    # Of the last blocks alone: the attention of every block would fill the memory.
    attentions = nn.ModuleList(stage[-1].attention for stage in backbone.stages)
    with super_token_maps(attentions) as maps:
        backbone(model.data_preprocessor(batch, False)["inputs"])
    return {
        f"stage{i + 1}": Stage(maps[str(i)], image, 4 * 2**i).sheet(f"Stage {i + 1}", pixel)
        for i in range(len(attentions))
        if str(i) in maps
    }


class Stage:
    """The maps of one stage over the picture that they belong to.

    Args:
        maps: Of a batch of one.
        image: (H, W, 3) uint8, the network's input. Tokens beyond it, where the input was
            padded, are not drawn.
        stride: Pixels of a side of a token.
    """

    def __init__(self, maps: SuperTokenMaps, image: np.ndarray, stride: int) -> None:
        self.maps = maps
        self.stride = stride
        height, width = image.shape[:2]
        scale = PANEL / width
        size = (max(round(height * scale), 1), PANEL)
        self.scale = (size[0] / height, scale)
        # Row and column of the token below each pixel of a panel.
        self.rows = np.arange(size[0]) * height // size[0] // stride
        self.columns = np.arange(PANEL) * width // PANEL // stride
        self.image = np.asarray(Image.fromarray(image).resize(size[::-1], Image.Resampling.BICUBIC))

    def sheet(self, name: str, pixel: tuple[int, int]) -> np.ndarray:
        """All pictures of the stage, (H', W', 3) uint8."""
        (rows, columns), (h, w) = self.maps.grid, self.maps.cell
        token = (pixel[0] // self.stride, pixel[1] // self.stride)
        if self.maps.association is None:
            title = f"{name}: {rows} x {columns} tokens of {self.stride} x {self.stride} pixels"
            return _page(title, [self._attention(token)])
        title = (
            f"{name}: {rows} x {columns} super tokens, cells of {h} x {w} tokens, "
            f"{h * self.stride} x {w * self.stride} pixels"
        )
        labels = self.labels()
        chosen = labels[token]
        cell = divmod(chosen, columns) if chosen >= 0 else (token[0] // h, token[1] // w)
        grid = self.plain_grid()
        first = [
            ("input, and the chosen token", self._boxed(self.image, token, (1, 1))),
            ("plain grid", self._outlined(self._coloured(grid), grid)),
            ("super tokens: hard assignment", self._coloured(labels)),
            ("super tokens: boundaries", self._outlined(self.image, labels)),
        ]
        belongs, members = self.token_association(token), self.members(cell)
        second = [
            (f"the token belongs to ({belongs.max():.2f} at most)", self._heat(belongs, token)),
            (f"tokens of its super token ({members.max():.2f})", self._heat(members, cell, (h, w))),
            *self._attention(cell),
        ]
        return _page(title, [first, second])

    def labels(self) -> np.ndarray:
        """Number of the super token that each token belongs to most, (H, W); -1: outside."""
        return self.maps.labels()[0].cpu().numpy()

    def plain_grid(self) -> np.ndarray:
        """Number of the cell that each token lies in, (H, W)."""
        (height, width), (h, w) = self.maps.size, self.maps.cell
        rows, columns = np.arange(height) // h, np.arange(width) // w
        return rows[:, None] * self.maps.grid[1] + columns

    def token_association(self, token: tuple[int, int]) -> np.ndarray:
        """How much a token belongs to each super token, over the cells' tokens, (H, W)."""
        (rows, columns), (h, w) = self.maps.grid, self.maps.cell
        shares = self.maps.association[0, :, token[0], token[1]].tolist()
        cells = np.zeros((rows, columns))
        for (dy, dx), share in zip(OFFSETS, shares, strict=True):
            row, column = token[0] // h + dy, token[1] // w + dx
            if 0 <= row < rows and 0 <= column < columns:
                cells[row, column] = share
        return self._over_tokens(cells)

    def members(self, cell: tuple[int, int]) -> np.ndarray:
        """How much each token belongs to one super token of the grid, (H, W)."""
        (rows, columns), (h, w), (height, width) = self.maps.grid, self.maps.cell, self.maps.size
        found = np.zeros((rows * h, columns * w))
        association = self.maps.association[0].cpu().numpy()
        for k, (dy, dx) in enumerate(OFFSETS):
            # The cell whose k-th neighbour this super token is.
            row, column = cell[0] - dy, cell[1] - dx
            if 0 <= row < rows and 0 <= column < columns:
                inside = np.s_[row * h : (row + 1) * h, column * w : (column + 1) * w]
                found[inside] = association[k][inside]
        return found[:height, :width]

    def attention(self, cell: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        """What a super token attends to, and what attends to it, over tokens, each (H, W)."""
        index = cell[0] * self.maps.grid[1] + cell[1]
        weights = self.maps.attention[0].mean(0)
        both = torch.stack([weights[index], weights[:, index]]).cpu().numpy()
        to, by = both.reshape(2, *self.maps.grid)
        return self._over_tokens(to), self._over_tokens(by)

    def _attention(self, cell: tuple[int, int]) -> list[tuple[str, np.ndarray]]:
        if self.maps.attention is None:
            return []
        to, by = self.attention(cell)
        return [
            (f"what it attends to ({to.max():.3f} at most)", self._heat(to, cell, self.maps.cell)),
            (f"what attends to it ({by.max():.3f} at most)", self._heat(by, cell, self.maps.cell)),
        ]

    def _over_tokens(self, cells: np.ndarray) -> np.ndarray:
        """Values of cells, (I, J), given to the cells' tokens, (H, W)."""
        (h, w), (height, width) = self.maps.cell, self.maps.size
        return cells.repeat(h, axis=0).repeat(w, axis=1)[:height, :width]

    def _enlarged(self, values: np.ndarray) -> np.ndarray:
        """Values of tokens, (H, W, ...), for each pixel of a panel."""
        return values[self.rows][:, self.columns]

    def _coloured(self, labels: np.ndarray) -> np.ndarray:
        rows, columns = self.maps.grid
        colours = np.concatenate([_distant_colours(rows, columns), np.zeros((1, 3))])
        return _blend(self.image, self._enlarged(colours[labels]), 0.7)  # -1 is the last: black

    def _outlined(self, image: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Lines where the label changes to the right or below."""
        labels = self._enlarged(labels)
        line = np.zeros(labels.shape, bool)
        line[:, :-1] |= labels[:, 1:] != labels[:, :-1]
        line[:-1] |= labels[1:] != labels[:-1]
        image = image.copy()
        image[line] = (255, 230, 0)
        return image

    def _heat(
        self, values: np.ndarray, corner: tuple[int, int], cell: tuple[int, int] = (1, 1)
    ) -> np.ndarray:
        """Values of tokens as colours, and a box around what they are about."""
        import matplotlib

        scaled = self._enlarged(values) / max(values.max(), 1e-12)
        heat = matplotlib.colormaps["jet"](scaled)[..., :3]
        where = (corner[0] * cell[0], corner[1] * cell[1])
        return self._boxed(_blend(self.image, heat, 0.3), where, cell)

    def _boxed(
        self, image: np.ndarray, token: tuple[int, int], size: tuple[int, int]
    ) -> np.ndarray:
        """A box around some tokens, of at least so many pixels that it is seen."""
        page = Image.fromarray(image)
        top, left = (t * self.stride * scale for t, scale in zip(token, self.scale, strict=True))
        bottom, right = (
            max((t + n) * self.stride * scale, low + 6)
            for t, n, scale, low in zip(token, size, self.scale, (top, left), strict=True)
        )
        draw = ImageDraw.Draw(page)
        for width, colour in ((2, "black"), (1, "white")):
            # A super token of the padding has its box at the border.
            columns = np.clip((left - width, right + width), 0, page.width - 1)
            rows = np.clip((top - width, bottom + width), 0, page.height - 1)
            draw.rectangle((columns[0], rows[0], columns[1], rows[1]), None, colour, width)
        return np.asarray(page)


def _distant_colours(rows: int, columns: int) -> np.ndarray:
    """A dimmed colour for each cell of a grid, (rows * columns, 3) in [0, 1].

    Golden steps of hue, an odd number of them from row to row, keep neighbours apart.
    """
    from matplotlib.colors import hsv_to_rgb

    row, column = np.divmod(np.arange(rows * columns), columns)
    hue = (0.61803398875 * column + 0.27 * row) % 1
    saturation = np.where((row + column) % 2, 0.95, 0.55)
    value = np.where(row % 2, 1.0, 0.7)
    return 0.7 * hsv_to_rgb(np.stack([hue, saturation, value], axis=1)) + 0.2


def _blend(image: np.ndarray, colours: np.ndarray, share: float) -> np.ndarray:
    """``share`` of a uint8 picture and the rest of colours in [0, 1], as uint8."""
    return (share * image + (1 - share) * 255 * colours).astype(np.uint8)


def _page(title: str, rows: list[list[tuple[str, np.ndarray]]]) -> np.ndarray:
    """Rows of panels below a title."""
    from PIL import ImageFont

    parts = [side_by_side(row) for row in rows if row]
    width = max([part.shape[1] for part in parts], default=PANEL)
    strip = Image.new("RGB", (width, 48), "white")
    font = ImageFont.load_default(size=26)
    ImageDraw.Draw(strip).text((10, 28), title, "black", font, anchor="lm")
    filled = [
        np.pad(part, ((0, 10), (0, width - part.shape[1]), (0, 0)), constant_values=255)
        for part in parts
    ]
    return np.concatenate([np.asarray(strip), *filled])
