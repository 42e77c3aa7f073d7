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
