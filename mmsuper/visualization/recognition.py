"""What was recognized, drawn into the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Colour = tuple[int, ...]


def draw_instances(
    image: np.ndarray,
    found: Mapping[str, np.ndarray],
    names: Sequence[str],
    colours: np.ndarray,
) -> np.ndarray:
    """Boxes with class names and scores, and masks where there are any.

    Args:
        image: (H, W, 3) uint8, RGB.
        found: ``boxes`` (n, 4), ``labels`` and ``scores`` (n,), perhaps ``masks`` (n, H, W),
            best first, as a detector's :class:`~mmsuper.apis.recognition.RecognitionInferencer`
            gives them.
        names: Names of the classes.
        colours: (classes, 3) uint8.

    Returns:
        (H, W, 3) uint8.
    """
    order = range(len(found["labels"]) - 1, -1, -1)  # the best lies on top
    canvas = image.astype(np.float32)
    for index in order if "masks" in found else ():
        colour, mask = colours[found["labels"][index]], found["masks"][index].astype(bool)
        canvas[mask] = 0.55 * canvas[mask] + 0.45 * colour
        canvas[_outline(mask)] = colour
    page = Image.fromarray(canvas.astype(np.uint8))
    draw = ImageDraw.Draw(page)
    font, line = _font(image), max(min(image.shape[:2]) // 250, 1)
    for index in order:
        label = found["labels"][index]
        colour = tuple(colours[label].tolist())
        left, top, right, bottom = found["boxes"][index].tolist()
        draw.rectangle((left, top, max(left, right), max(top, bottom)), None, colour, line)
        text = f"{names[label]} {found['scores'][index]:.2f}"
        _write(draw, (left, top), text, colour, font, page.size)
    return np.asarray(page)


def draw_segments(
    image: np.ndarray, labels: np.ndarray, names: Sequence[str], colours: np.ndarray
) -> np.ndarray:
    """The classes as colours over the picture, with a legend at its right.

    Args:
        image: (H, W, 3) uint8, RGB.
        labels: (H, W), the class of each pixel.
        names: Names of the classes.
        colours: (classes, 3) uint8.

    Returns:
        (H', W', 3) uint8: the picture on white, with its legend, largest class first.
    """
    height, width = labels.shape
    blended = (0.45 * image + 0.55 * colours[labels]).astype(np.uint8)
    font = _font(image)
    step = int(1.6 * font.size)
    entries = [
        (f"{names[label]}  {100 * share:.{0 if share >= 0.1 else 1}f} %", colours[label])
        for label, share in class_shares(labels)
    ]
    text_width = max(int(font.getlength(text)) for text, _ in entries)
    size = (width + 3 * step + text_width, max(height, (len(entries) + 1) * step))
    page = Image.new("RGB", size, "white")
    page.paste(Image.fromarray(blended))
    draw = ImageDraw.Draw(page)
    for row, (text, colour) in enumerate(entries):
        left, top = width + step // 2, step // 2 + row * step
        draw.rectangle((left, top, left + font.size, top + font.size), tuple(colour.tolist()))
        middle = (left + step, top + font.size / 2)
        draw.text(middle, text, "black", font, anchor="lm")
    return np.asarray(page)


def class_shares(labels: np.ndarray) -> list[tuple[int, float]]:
    """``(class, its share of the pixels)`` of the classes that are there, largest first."""
    found, counts = np.unique(labels, return_counts=True)
    shares = zip(found.tolist(), (counts / labels.size).tolist(), strict=True)
    return sorted(shares, key=lambda pair: -pair[1])


def _outline(mask: np.ndarray) -> np.ndarray:
    """Pixels of a mask (H, W) with a neighbour outside of it."""
    padded = np.pad(mask, 1)
    inside = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask & ~inside


def _font(image: np.ndarray) -> ImageFont.FreeTypeFont:
    size = min(max(min(image.shape[:2]) // 28, 11), 32)
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))


def _write(
    draw: ImageDraw.ImageDraw,
    corner: tuple[float, float],
    text: str,
    colour: Colour,
    font: ImageFont.FreeTypeFont,
    page: tuple[int, int],
) -> None:
    """A text on its colour, above a box's corner where there is room, else inside of it."""
    width, height = font.getlength(text) + 4, font.size + 4
    left = max(min(corner[0], page[0] - width), 0)
    top = corner[1] - height if corner[1] >= height else max(corner[1], 0)
    draw.rectangle((left, top, left + width, top + height), colour)
    dark = sum(part * share for part, share in zip(colour, (0.299, 0.587, 0.114), strict=True))
    ink = "black" if dark > 140 else "white"
    draw.text((left + 2, top + height / 2), text, ink, font, anchor="lm")
