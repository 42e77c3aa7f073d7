"""Draw what a data set gives to a model: the pictures of the verb ``browse``.

A sample becomes one RGB picture and a caption. What it is, is read from the host's data
element: boxes and masks, a segmentation map, a label, a truth to restore, or text.
"""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

# Frames of a clip that are drawn, side by side.
FRAMES = 4


class Drawn(NamedTuple):
    """A sample's picture, (H, W, 3) uint8 RGB, and what is written above it."""

    picture: np.ndarray
    caption: str


def draw_sample(sample: Any, metainfo: dict[str, Any], rgb: bool) -> Drawn:
    """Draw one item of a data set.

    Args:
        sample: What the data set's pipeline returned.
        metainfo: The data set's, for class names and colours.
        rgb: Whether its pictures are RGB rather than OpenCV's BGR.
    """
    if isinstance(sample, str) or not isinstance(sample.get("inputs"), _tensor()):
        return _draw_text(sample)
    inputs, element = sample["inputs"], sample.get("data_samples")
    frames = [to_picture(frame, rgb) for frame in _frames(inputs)]
    truth = getattr(element, "gt_img", None)
    if truth is not None:
        return _draw_pair(frames, [to_picture(frame, rgb) for frame in _frames(truth)], element)
    picture = frames[0]
    name, size = _name(element), _size(picture)
    if "gt_instances" in element:
        drawn = _draw_instances(picture, element, metainfo)
        return Drawn(drawn, f"{name}  {size}  {len(element.gt_instances)} instances")
    if "gt_sem_seg" in element:
        drawn = _draw_map(picture, element, metainfo)
        return Drawn(drawn, f"{name}  {size}\n{_classes_in(element, metainfo)}")
    if "gt_label" in element:
        classes = metainfo.get("classes") or []
        labels = [int(i) for i in element.gt_label]
        words = ", ".join(str(classes[i]) if i < len(classes) else str(i) for i in labels)
        return Drawn(picture, f"{words}\n{name}  {size}")
    return Drawn(picture, f"{name}  {size}")


def to_picture(image: Tensor, rgb: bool) -> np.ndarray:
    """(H, W, 3) uint8 RGB of a (C, H, W) tensor.

    Floating-point values are taken to lie in [0, 1] or [0, 255]; what lies outside, as
    after a normalisation, is stretched to fill the range.
    """
    array = image.detach().cpu().numpy().transpose(1, 2, 0)
    if array.dtype != np.uint8:
        array = array.astype(np.float64)
        if array.size and array.min() >= 0 and array.max() <= 1:
            array = array * 255
        elif array.size and (array.min() < 0 or array.max() > 255):
            array = (array - array.min()) / max(np.ptp(array), 1e-12) * 255
        array = array.round().astype(np.uint8)
    if array.shape[2] == 1:
        array = array.repeat(3, axis=2)
    array = array[:, :, :3]
    return np.ascontiguousarray(array if rgb else array[:, :, ::-1])


def contact_sheet(samples: Sequence[Drawn], path: str | Path, title: str) -> None:
    """Save pictures in a grid, each under its caption.

    Args:
        samples: What to draw, at least one.
        path: File to write; its suffix decides the format.
        title: Written above all.

    Raises:
        UserError: If the file cannot be written.
    """
    from mmsuper.visualization.figures import new_figure, save_figure

    shape = np.median([s.picture.shape[:2] for s in samples], axis=0)
    aspect = float(np.clip(shape[1] / shape[0], 0.3, 8))
    columns = max(1, min(len(samples), round((len(samples) * 1.2 / aspect) ** 0.5)))
    rows = -(-len(samples) // columns)
    width = max(12.0, 2.0 * columns)
    height = rows * (width / columns / aspect + 0.45) + 0.5
    figure = new_figure(width, height)
    figure.suptitle(title, fontsize=10)
    for i, drawn in enumerate(samples):
        axes = figure.add_subplot(rows, columns, i + 1)
        axes.imshow(drawn.picture, interpolation="nearest" if _is_small(drawn) else "antialiased")
        axes.set_title(drawn.caption, fontsize=8)
        axes.set_axis_off()
    save_figure(figure, path)


def _is_small(drawn: Drawn) -> bool:
    return max(drawn.picture.shape[:2]) < 200


def _tensor() -> type:
    import torch

    return torch.Tensor


def _frames(tensor: Tensor) -> list[Tensor]:
    """The frames of a clip (T, C, H, W), evenly spread, or the one picture (C, H, W)."""
    if tensor.ndim == 3:
        return [tensor]
    picked = np.linspace(0, len(tensor) - 1, min(FRAMES, len(tensor))).round().astype(int)
    return [tensor[i] for i in picked]


def _draw_pair(low: list[np.ndarray], high: list[np.ndarray], element: Any) -> Drawn:
    """Input beside truth, at the size of the truth; for clips one row each."""
    size = f"input {_size(low[0])}, truth {_size(high[0])}"
    shape = high[0].shape[:2]
    enlarged = [_enlarge(frame, shape) for frame in low]
    if len(low) == len(high) == 1:
        picture = np.concatenate([enlarged[0], high[0]], axis=1)
    else:
        picture = np.concatenate([np.concatenate(row, axis=1) for row in (enlarged, high)])
    return Drawn(picture, f"{_name(element)}\n{size}")


def _enlarge(picture: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Repeat pixels, so that one sees them as they are."""
    rows = np.arange(shape[0]) * picture.shape[0] // shape[0]
    columns = np.arange(shape[1]) * picture.shape[1] // shape[1]
    return picture[rows][:, columns]


def _draw_instances(picture: np.ndarray, element: Any, metainfo: dict[str, Any]) -> np.ndarray:
    from mmdet.structures.mask import BitmapMasks, PolygonMasks

    element = element.clone()
    instances = element.gt_instances
    if "bboxes" in instances and hasattr(instances.bboxes, "tensor"):
        instances.bboxes = instances.bboxes.tensor
    if "masks" in instances and isinstance(instances.masks, BitmapMasks | PolygonMasks):
        instances.masks = instances.masks.to_ndarray().astype(bool)
    visualizer = _visualizer("mmdet.DetLocalVisualizer", tuple(metainfo.get("classes") or ()))
    visualizer.dataset_meta = metainfo
    visualizer.add_datasample("sample", picture, element, draw_pred=False)
    return visualizer.get_image()


def _draw_map(picture: np.ndarray, element: Any, metainfo: dict[str, Any]) -> np.ndarray:
    visualizer = _visualizer("mmseg.SegLocalVisualizer", tuple(metainfo.get("classes") or ()))
    visualizer.dataset_meta = metainfo
    visualizer.add_datasample("sample", picture, element, draw_pred=False, with_labels=False)
    return visualizer.get_image()


def _classes_in(element: Any, metainfo: dict[str, Any]) -> str:
    """Names of the classes in a segmentation map, the largest first."""
    labels, counts = element.gt_sem_seg.data.unique(return_counts=True)
    classes = metainfo.get("classes") or ()
    ordered = [int(labels[i]) for i in counts.argsort(descending=True)]
    return ", ".join(classes[label] for label in ordered if label < len(classes))


@functools.cache
def _visualizer(kind: str, classes: tuple[str, ...]) -> Any:
    from mmengine.registry import VISUALIZERS

    return VISUALIZERS.build({"type": kind, "name": f"browse {kind} {hash(classes)}"})


def _draw_text(sample: Any) -> Drawn:
    """A page of the sample's text, with what cannot be seen made visible."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from mmsuper.visualization.figures import new_figure

    text = (
        sample if isinstance(sample, str) else str(sample.get("text", sample.get("inputs", sample)))
    )
    lines = [
        part
        for line in text.replace("\t", "→   ").splitlines()
        for part in textwrap.wrap(line, 76, drop_whitespace=False) or [""]
    ]
    figure = new_figure(7, 2.4)
    figure.text(0.01, 0.98, "\n".join(lines[:14]), family="monospace", fontsize=8, va="top")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = np.asarray(canvas.buffer_rgba())[:, :, :3].copy()
    return Drawn(picture, f"{len(text)} characters")


def _name(element: Any) -> str:
    for key in ("img_path", "gt_path", "key"):
        value = element.get(key) if element is not None else None
        if value:
            value = value[0] if isinstance(value, list | tuple) else value
            return "/".join(Path(str(value)).parts[-2:])
    return ""


def _size(picture: np.ndarray) -> str:
    return f"{picture.shape[1]}x{picture.shape[0]}"
