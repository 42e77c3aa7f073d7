"""Sample data for restoration: pairs of high- and low-resolution pictures, and clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmsuper.data.resize import crop_to_multiple, imresize
from mmsuper.data.samples.sources import picture, save

SCALES = (2, 3, 4)

#: Photographs to measure on: a person, an animal, a still life, a plant, technology at
#: dusk. None of these scenes occurs in the training pictures.
HELD_OUT = {
    "astronaut": ("astronaut.png", "skimage"),
    "chelsea": ("chelsea.png", "skimage"),
    "coffee": ("coffee.png", "skimage"),
    "flower": ("flower.jpg", "sklearn"),
    "rocket": ("rocket.jpg", "skimage"),
}

#: Training pictures, each with the scales at which it is stored. Copies at 0.75 and 0.5
#: show the same things with other sizes and with more detail to the pixel; photographs
#: that come as JPEG also lose most of their compression artefacts.
TRAINING = {
    "brick": ("brick.png", "skimage", (1.0,)),
    "camera": ("camera.png", "skimage", (1.0, 0.75)),
    "china": ("china.jpg", "sklearn", (1.0, 0.75, 0.5)),
    "coins": ("coins.png", "skimage", (1.0, 0.75)),
    "frost4": ("frost4.jpg", "imagecorruptions", (1.0,)),
    "frost6": ("frost6.jpg", "imagecorruptions", (1.0,)),
    "grace_hopper": ("grace_hopper.jpg", "matplotlib", (1.0, 0.75, 0.5)),
    "grass": ("grass.png", "skimage", (1.0,)),
    "gravel": ("gravel.png", "skimage", (1.0,)),
    "hubble": ("hubble_deep_field.jpg", "skimage", (0.5,)),
    "ihc": ("ihc.png", "skimage", (1.0, 0.75)),
    "moon": ("moon.png", "skimage", (1.0,)),
    "motorcycle": ("motorcycle_left.png", "skimage", (1.0, 0.75, 0.5)),
    "page": ("page.png", "skimage", (1.0,)),
    "quokka": ("quokka.jpg", "imgaug", (0.75, 0.5)),
    "retina": ("retina.jpg", "skimage", (0.5,)),
}


def make_sr(folder: Path) -> None:
    """Write ``{train,val}/{HR,LRx2,LRx3,LRx4}/NAME.png``; HR sizes are multiples of 12.

    ``train.txt`` and ``val.txt`` list the names: without them the order of pictures, and so
    the course of a training, would be that of the file system.
    """
    for name, source in HELD_OUT.items():
        _save_pair(folder / "val", name, picture(*source))
    for name, (file, package, factors) in TRAINING.items():
        for factor in factors:
            image = picture(file, package)
            if factor != 1:
                image = imresize(image, factor)
            suffix = "" if factor == 1 else f"_s{round(100 * factor):03d}"
            _save_pair(folder / "train", name + suffix, image)
    for split in ("train", "val"):
        names = sorted(path.name for path in (folder / split / "HR").iterdir())
        (folder / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))


def _save_pair(folder: Path, name: str, image: np.ndarray) -> None:
    high = crop_to_multiple(image, 12)
    save(folder / "HR" / f"{name}.png", high)
    for scale in SCALES:
        save(folder / f"LRx{scale}" / f"{name}.png", imresize(high, 1 / scale))


#: What the camera of each clip moves over; training and validation show different scenes.
CLIPS = {
    "train": {
        "000": ("china.jpg", "sklearn"),
        "001": ("motorcycle_left.png", "skimage"),
        "002": ("grace_hopper.jpg", "matplotlib"),
        "003": ("quokka.jpg", "imgaug"),
        "004": ("ihc.png", "skimage"),
        "005": ("hubble_deep_field.jpg", "skimage"),
    },
    "val": {
        "000": ("astronaut.png", "skimage"),
        "001": ("coffee.png", "skimage"),
        "002": ("rocket.jpg", "skimage"),
    },
}
CLIP_FRAMES = 16
CLIP_SIZE = (256, 320)


def make_clips(folder: Path) -> None:
    """Write ``{train,val}/{HR,LRx4}/CLIP/%08d.png``: 16 frames of 320x256 pixels a clip.

    The camera pans, zooms, turns and shakes a little, all by fractions of a pixel, so that
    the frames of a clip sample a scene at different places, as frames of real video do.
    """
    for split, clips in CLIPS.items():
        for clip, source in clips.items():
            rng = np.random.default_rng([len(split), int(clip)])
            for index, frame in enumerate(camera_ride(picture(*source), rng, CLIP_FRAMES)):
                name = Path(clip) / f"{index:08d}.png"
                save(folder / split / "HR" / name, frame, compress_level=3)
                low = imresize(frame, 1 / 4)
                save(folder / split / "LRx4" / name, low, compress_level=3)


def camera_ride(image: np.ndarray, rng: np.random.Generator, length: int) -> list[np.ndarray]:
    """Frames seen by a camera that moves from one random view of a picture to another."""
    margin = 12
    start, end = rng.uniform(size=2), rng.uniform(size=2)
    zoom_start, zoom_end = rng.uniform(1.0, 1.3, size=2)
    turn_start, turn_end = rng.uniform(-2, 2, size=2)
    shake = rng.normal(0, 0.4, size=(length, 2))
    size, room = np.array(CLIP_SIZE), np.array(image.shape[:2]) - 2 * margin
    frames = []
    for time, jitter in zip(np.linspace(0, 1, length), shake, strict=True):
        zoom = zoom_start + time * (zoom_end - zoom_start)
        zoom = min(zoom, *(room / size))
        free = room - size * zoom
        centre = margin + size * zoom / 2 + free * (start + time * (end - start)) + jitter
        turn = turn_start + time * (turn_end - turn_start)
        frames.append(_view(image, centre, zoom, turn))
    return frames


def _view(image: np.ndarray, centre: np.ndarray, zoom: float, turn: float) -> np.ndarray:
    """What a camera at ``centre`` (row, column) sees, ``zoom`` picture pixels to the pixel."""
    import cv2

    # Twice the size and then halved with antialiasing: zoom > 1 shrinks the picture.
    height, width = 2 * CLIP_SIZE[0], 2 * CLIP_SIZE[1]
    matrix = np.asarray(cv2.getRotationMatrix2D((centre[1], centre[0]), turn, 2 / zoom), float)
    matrix[:, 2] += np.array([width / 2 - centre[1], height / 2 - centre[0]])
    large = cv2.warpAffine(
        image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return imresize(large, 0.5)
