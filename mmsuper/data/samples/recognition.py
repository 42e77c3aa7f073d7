"""Sample data for recognition: classification, instances, semantic segmentation."""

from __future__ import annotations

import functools
import gzip
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmsuper.data.resize import imresize, to_uint8
from mmsuper.data.samples.sources import picture, save

# --------------------------------------------------------------------- classification


def make_classification(folder: Path) -> None:
    """Write ``{train,val}/{0..9}/NAME.png``: scikit-learn's 1,797 handwritten digits.

    Every fifth digit of a class is for validation. The 8x8 pixels are enlarged to 32x32.
    """
    seen = [0] * 10
    for index, row in enumerate(_digit_rows()):
        label, pixels = int(row[64]), row[:64].reshape(8, 8)
        split = "val" if seen[label] % 5 == 4 else "train"
        seen[label] += 1
        image = to_uint8(imresize(pixels * (255 / 16), 4))
        save(folder / split / str(label) / f"{index:04d}.png", image)


def _digit_rows() -> np.ndarray:
    """(1797, 65): 64 grey values in [0, 16] and the label of each digit."""
    spec = importlib.util.find_spec("sklearn")
    assert spec is not None and spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0]) / "datasets" / "data" / "digits.csv.gz"
    with gzip.open(path, "rt") as file:
        return np.loadtxt(file, delimiter=",")


# -------------------------------------------------------------------------- instances

CATEGORIES = ("coin", "cup", "flower", "horse", "star")
_COCO_SPLITS = {"train": 200, "val": 50}
_COCO_SIZE = (256, 320)
_BACKGROUNDS = {
    "train": (
        ("brick.png", "skimage"),
        ("grass.png", "skimage"),
        ("gravel.png", "skimage"),
        ("china.jpg", "sklearn"),
        ("frost5.jpg", "imagecorruptions"),
        ("quokka.jpg", "imgaug"),
        ("moon.png", "skimage"),
    ),
    "val": (
        ("frost4.jpg", "imagecorruptions"),
        ("motorcycle_left.png", "skimage"),
        ("rocket.jpg", "skimage"),
    ),
}


@dataclass
class Cutout:
    """An object without its surroundings."""

    image: np.ndarray  # (H, W, 3) uint8
    mask: np.ndarray  # (H, W) bool


def make_coco(folder: Path) -> None:
    """Write ``{train,val}/NAME.jpg`` and ``annotations/instances_{train,val}.json``.

    Objects cut from photographs, and shapes cut from textures, are pasted over photographs;
    later ones cover earlier ones, and what is left of each is its mask, as exact run
    lengths. An object of which less than a third remains visible is not pasted.
    """
    (folder / "annotations").mkdir(parents=True)
    for split, count in _COCO_SPLITS.items():
        images: list[dict] = []
        annotations: list[dict] = []
        for index in range(count):
            rng = np.random.default_rng([len(split), index])
            image, masks = _scene(split, rng)
            name = f"{index + 1:012d}.jpg"
            save(folder / split / name, image, quality=95)
            height, width = image.shape[:2]
            images.append(dict(id=index + 1, file_name=name, height=height, width=width))
            for category, mask in masks:
                number = len(annotations) + 1
                annotations.append(_annotation(number, index + 1, category, mask))
        content = {
            "info": {"description": f"mmsuper sample instances, {split}"},
            "images": images,
            "annotations": annotations,
            "categories": [dict(id=i + 1, name=name) for i, name in enumerate(CATEGORIES)],
        }
        (folder / "annotations" / f"instances_{split}.json").write_text(json.dumps(content))


def _annotation(number: int, image_id: int, category: int, mask: np.ndarray) -> dict:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    x, y = int(columns[0]), int(rows[0])
    return {
        "id": number,
        "image_id": image_id,
        "category_id": category + 1,
        "bbox": [x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y],
        "area": int(mask.sum()),
        "iscrowd": 0,
        "segmentation": {"size": list(mask.shape), "counts": run_lengths(mask)},
    }


def run_lengths(mask: np.ndarray) -> list[int]:
    """COCO's uncompressed run lengths of a mask (H, W): down the columns, zeros first."""
    flat = mask.flatten(order="F").astype(np.int8)
    changes = np.flatnonzero(np.diff(flat)) + 1
    bounds = np.concatenate([[0], changes, [flat.size]])
    counts = np.diff(bounds).tolist()
    return [0, *counts] if flat[0] else counts


def _scene(split: str, rng: np.random.Generator) -> tuple[np.ndarray, list]:
    """A picture and its (category, mask) pairs, back to front."""
    backgrounds = _BACKGROUNDS[split]
    canvas = _random_crop(picture(*backgrounds[rng.integers(len(backgrounds))]), _COCO_SIZE, rng)
    canvas = canvas.copy()
    masks: list[tuple[int, np.ndarray]] = []
    for _ in range(rng.integers(2, 7)):
        category = int(rng.integers(len(CATEGORIES)))
        cutout = _transformed(_cutout(CATEGORIES[category], rng), rng)
        image, mask = _placed(cutout, rng)
        covered = [(kind, other & ~mask) for kind, other in masks]
        if any(
            after.sum() < max(before.sum() / 3, 60)
            for (_, before), (_, after) in zip(masks, covered, strict=True)
        ):
            continue
        canvas[mask] = image[mask]
        masks = [*covered, (category, mask)]
    return canvas, masks


def _random_crop(image: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    top, left = (rng.integers(a - b + 1) for a, b in zip(image.shape, size, strict=False))
    crop = image[top : top + size[0], left : left + size[1]]
    return crop[:, ::-1] if rng.random() < 0.5 else crop


def _cutout(category: str, rng: np.random.Generator) -> Cutout:
    if category == "coin":
        coins = _coins()
        return coins[rng.integers(len(coins))]
    if category in ("horse", "star"):
        mask = _horse() if category == "horse" else _star(int(rng.integers(4, 8)))
        textures = _TEXTURES[category]
        texture = picture(*textures[rng.integers(len(textures))])
        return Cutout(_random_crop(texture, mask.shape, rng), mask)
    return _cup() if category == "cup" else _flower()


_TEXTURES = {
    "horse": (("retina.jpg", "skimage"), ("chelsea.png", "skimage")),
    "star": (("hubble_deep_field.jpg", "skimage"), ("ihc.png", "skimage")),
}


@functools.cache
def _coins() -> list[Cutout]:
    """The coins of scikit-image's picture: what is brighter than the table around it."""
    from scipy import ndimage

    image = picture("coins.png")
    grey = image[..., 0].astype(float)
    bright = ndimage.gaussian_filter(grey - ndimage.gaussian_filter(grey, 60), 1.5) > 12
    labels, _ = ndimage.label(
        ndimage.binary_fill_holes(ndimage.binary_closing(bright, iterations=2))
    )
    coins = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        mask = ndimage.binary_opening(labels[box] == number, iterations=3)
        height, width = mask.shape
        whole = 0.75 < height / width < 1.33 and mask.sum() > 0.6 * height * width
        if mask.sum() > 700 and whole:
            coins.append(Cutout(image[box], mask))
    return coins


@functools.cache
def _horse() -> np.ndarray:
    silhouette = picture("horse.png")[..., 0] < 128
    return _tight(silhouette[::2, ::2])


@functools.cache
def _flower() -> Cutout:
    """The dahlia: the largest bright orange region of scikit-learn's picture."""
    from scipy import ndimage

    image = picture("flower.jpg", "sklearn")
    orange = image[..., 0].astype(int) - image[..., 2] > 60
    labels, count = ndimage.label(ndimage.binary_opening(orange, iterations=2))
    sizes = ndimage.sum_labels(orange, labels, range(1, count + 1))
    mask = ndimage.binary_fill_holes(labels == 1 + int(np.argmax(sizes)))
    box = ndimage.find_objects(mask.astype(int))[0]
    return Cutout(image[box], mask[box])


@functools.cache
def _cup() -> Cutout:
    """The cup's rim and body in scikit-image's picture, outlined by hand."""
    import cv2

    outline = [(165, 60), (190, 28), (240, 10), (290, 12), (340, 32), (362, 70), (352, 120)]
    outline += [(330, 175), (300, 215), (260, 232), (215, 220), (185, 180), (170, 120)]
    image = picture("coffee.png")
    mask = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.array(outline, np.int32)], 1)
    box = np.s_[10:234, 160:366]
    return Cutout(image[box], mask[box] == 1)


def _star(points: int) -> np.ndarray:
    import cv2

    angles = np.arange(2 * points) * np.pi / points
    radii = np.where(np.arange(2 * points) % 2 == 0, 78, 38)
    corners = 80 + radii[:, None] * np.stack([np.sin(angles), np.cos(angles)], axis=1)
    mask = np.zeros((160, 160), np.uint8)
    cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], 1)
    return _tight(mask == 1)


def _tight(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _transformed(cutout: Cutout, rng: np.random.Generator) -> Cutout:
    """Turned, resized to 36-130 pixels, brightened or darkened, perhaps mirrored."""
    import cv2

    height, width = cutout.mask.shape
    scale = np.exp(rng.uniform(np.log(36), np.log(130))) / max(height, width)
    middle = (width / 2, height / 2)
    matrix = np.asarray(cv2.getRotationMatrix2D(middle, rng.uniform(-30, 30), scale), float)
    side = int(np.ceil(np.hypot(height, width) * scale)) + 2
    matrix[:, 2] += np.array([side - width, side - height]) / 2
    mask = cv2.warpAffine(cutout.mask.astype(np.uint8) * 255, matrix, (side, side)) > 127
    image = cv2.warpAffine(
        cutout.image, matrix, (side, side), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
    )
    image = to_uint8(image * rng.uniform(0.7, 1.25))
    if rng.random() < 0.5:
        image, mask = image[:, ::-1], mask[:, ::-1]
    return Cutout(image, mask)


def _placed(cutout: Cutout, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The cut-out somewhere on an empty canvas, wholly inside it."""
    mask = _tight(cutout.mask)
    rows = np.flatnonzero(cutout.mask.any(axis=1))
    columns = np.flatnonzero(cutout.mask.any(axis=0))
    part = cutout.image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    canvas = np.zeros((*_COCO_SIZE, 3), np.uint8)
    full = np.zeros(_COCO_SIZE, bool)
    top = rng.integers(_COCO_SIZE[0] - mask.shape[0] + 1)
    left = rng.integers(_COCO_SIZE[1] - mask.shape[1] + 1)
    window = np.s_[top : top + mask.shape[0], left : left + mask.shape[1]]
    canvas[window], full[window] = part, mask
    return canvas, full


# ----------------------------------------------------------------------- segmentation

#: Label value and class name; 0 is what nobody labelled, as in ADE20K.
SEGMENTATION_CLASSES = ("brick", "grass", "gravel", "frost", "soil", "sky")
_SEGMENTATION_SPLITS = {"training": 200, "validation": 50}
_SEGMENTATION_SIZE = 256
# The colour that a grey texture is tinted with.
_MATERIALS = {
    "brick": ("brick.png", "skimage", (1.25, 0.8, 0.65)),
    "grass": ("grass.png", "skimage", (0.75, 1.1, 0.5)),
    "gravel": ("gravel.png", "skimage", (1.05, 1.0, 0.95)),
    "frost": ("frost5.jpg", "imagecorruptions", (1.0, 1.0, 1.0)),
    "soil": ("moon.png", "skimage", (1.1, 0.85, 0.6)),
    "sky": ("china.jpg", "sklearn", (1.0, 1.0, 1.0)),
}


def make_segmentation(folder: Path) -> None:
    """Write ``{images,annotations}/{training,validation}/NAME.{jpg,png}``.

    Mosaics of six materials with irregular borders. A label is 1 to 6, the material's place
    in :data:`SEGMENTATION_CLASSES` plus one, and 0 along the borders, where nobody could
    say: train with ``reduce_zero_label=True``. Training and validation show different parts
    of each texture.
    """
    for split, count in _SEGMENTATION_SPLITS.items():
        materials = [_material(name, split) for name in SEGMENTATION_CLASSES]
        for index in range(count):
            rng = np.random.default_rng([len(split), index])
            image, labels = _mosaic(materials, rng)
            name = f"ADE_{'train' if split == 'training' else 'val'}_{index + 1:08d}"
            save(folder / "images" / split / f"{name}.jpg", image, quality=95)
            save(folder / "annotations" / split / f"{name}.png", labels)


def _material(name: str, split: str) -> np.ndarray:
    """A tinted texture, at least 384 pixels high and wide; the splits share no pixel."""
    file, package, tint = _MATERIALS[name]
    image = picture(file, package)
    if name == "sky":
        image = image[:80, 330:]
    border = round(image.shape[1] * 0.65)
    image = image[:, :border] if split == "training" else image[:, border:]
    pads = [(0, max(0, 384 - length)) for length in image.shape[:2]]
    image = np.pad(image, (*pads, (0, 0)), mode="symmetric")
    return to_uint8(image * np.array(tint))


def _mosaic(materials: list[np.ndarray], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A picture (H, W, 3) and its labels (H, W) uint8."""
    from scipy import ndimage

    size = (_SEGMENTATION_SIZE, _SEGMENTATION_SIZE)
    count = int(rng.integers(2, len(materials) + 1))
    kinds = rng.permutation(len(materials))[:count]
    seeds = rng.uniform(0, _SEGMENTATION_SIZE, (count, 2))
    # Nearest seed wins, at positions shifted by smooth noise: that bends the borders.
    shift = np.stack([ndimage.gaussian_filter(rng.normal(size=size), 12) for _ in range(2)])
    shift *= 14 / shift.std()
    position = np.indices(size) + shift
    distance = np.linalg.norm(position[:, None] - seeds.T[:, :, None, None], axis=0)
    labels = kinds[distance.argmin(axis=0)]
    image = np.zeros((*size, 3), np.uint8)
    for kind in np.unique(labels):
        region = labels == kind
        texture = _random_crop(materials[kind], size, rng)
        image[region] = to_uint8(texture * rng.uniform(0.75, 1.2))[region]
    edge = ndimage.maximum_filter(labels, 3) != ndimage.minimum_filter(labels, 3)
    return image, np.where(edge, 0, labels + 1).astype(np.uint8)
