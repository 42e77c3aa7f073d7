"""Where the pictures come from: files that installed packages carry."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mmsuper.errors import UserError

_FOLDERS = {
    "skimage": "data",
    "sklearn": "datasets/images",
    "matplotlib": "mpl-data/sample_data",
    "imgaug": "",
    "imagecorruptions": "frost",
}


@functools.cache
def picture(name: str, package: str = "skimage") -> np.ndarray:
    """A picture that a package carries, as RGB.

    Args:
        name: File name.
        package: One of the packages in this module's table.

    Returns:
        (H, W, 3) uint8, read-only. Grey pictures have three equal channels, and
        transparent ones lose their alpha channel.

    Raises:
        UserError: If the package or its picture is not installed.
    """
    path = _folder(package) / name
    if not path.is_file():
        raise UserError(f"{package} is installed without its picture {path}; reinstall it")
    with Image.open(path) as image:
        array = np.array(image.convert("RGB"))
    array.flags.writeable = False
    return array


def save(path: Path, image: np.ndarray, **options: Any) -> None:
    """Write a uint8 picture (H, W) or (H, W, 3) RGB, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, **options)


def _folder(package: str) -> Path:
    # find_spec, because importing scikit-image takes longer than making a data set.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"sample data needs the package {package}; `make install` installs it")
    return Path(spec.submodule_search_locations[0]) / _FOLDERS[package]
