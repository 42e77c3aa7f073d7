"""Pictures of any mode and depth, read and written back as they came.

Pillow reads and writes everything but 16-bit pictures, of which it keeps 8 bits when they
have colours; those go through OpenCV (reading) and OpenCV or tifffile (writing).
"""

from __future__ import annotations

import warnings
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmsuper.errors import UserError
from mmsuper.files import replacing

if TYPE_CHECKING:
    from PIL import Image

READABLE = frozenset(
    {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".ppm", ".pgm"}
)
# What a file of each kind can hold, and its longest side where the format has a limit.
WRITABLE = {
    ".png": ("PNG", {"L", "LA", "RGB", "RGBA"}, None),
    ".jpg": ("JPEG", {"L", "RGB", "CMYK"}, 65500),
    ".jpeg": ("JPEG", {"L", "RGB", "CMYK"}, 65500),
    ".tif": ("TIFF", {"L", "LA", "RGB", "RGBA", "CMYK"}, None),
    ".tiff": ("TIFF", {"L", "LA", "RGB", "RGBA", "CMYK"}, None),
    ".webp": ("WEBP", {"L", "RGB", "RGBA"}, 16383),
    ".bmp": ("BMP", {"L", "RGB", "RGBA"}, None),
}
_SAVE_OPTIONS: dict[str, dict] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"quality": 95},
    "TIFF": {"compression": "tiff_deflate"},
}
_CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4, "CMYK": 4}
_ORIENTATION = 0x0112  # the EXIF tag that says how to turn the stored picture


@dataclass(frozen=True)
class Picture:
    """A decoded picture, the right way up.

    Attributes:
        pixels: (H, W, C) array of uint8 or uint16.
        mode: ``L``, ``LA``, ``RGB``, ``RGBA`` or ``CMYK`` (with 0 for no ink).
        icc_profile: The embedded colour profile, or None.
        exif: The EXIF block without its orientation, or None.
    """

    pixels: np.ndarray
    mode: str
    icc_profile: bytes | None = None
    exif: bytes | None = None

    def with_pixels(self, pixels: np.ndarray) -> Picture:
        """Return the same kind of picture with other pixels, (H', W', C)."""
        return replace(self, pixels=pixels)


def from_array(array: np.ndarray) -> Picture:
    """Take an array (H, W) or (H, W, C), uint8 or uint16, C from 1 (grey) to 4 (RGBA).

    Raises:
        UserError: If the shape or the type is another.
    """
    pixels = array[..., None] if array.ndim == 2 else array
    modes = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
    if pixels.ndim != 3 or pixels.shape[2] not in modes or 0 in pixels.shape:
        raise UserError(f"a picture is an array (H, W) or (H, W, 1 to 4), not {array.shape}")
    if pixels.dtype not in (np.uint8, np.uint16):
        raise UserError(f"a picture is an array of uint8 or uint16, not {pixels.dtype}")
    return Picture(pixels, modes[pixels.shape[2]])


def read(path: str | Path) -> Picture:
    """Read a picture whole, turned as its EXIF orientation says.

    A palette becomes RGB (RGBA where it has a transparent colour), a bitmap becomes grey,
    and of an animation the first frame is read.

    Raises:
        UserError: If the file is missing, cut short, no picture, or of an unsupported mode.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged EXIF and of many pixels
            with Image.open(path) as image:
                return _read(path, image)
    except UnidentifiedImageError:
        raise UserError(f"{path} is not a picture in a format that can be read") from None
    except Image.DecompressionBombError:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) // 10**6
        raise UserError(f"{path} has more than {limit} million pixels; cut it first") from None
    except FileNotFoundError:
        raise UserError(f"no file at {path}") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # how Pillow reports damage
        raise UserError(f"cannot read {path}: {error}") from error


def size(path: str | Path) -> tuple[int, int]:
    """Width and height of a picture as stored, from the file's header.

    Raises:
        UserError: If the file is missing or no picture.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.size
    except OSError as error:
        raise UserError(f"cannot read {path}: {error}") from error


def check_writable(path: Path, mode: str, size: tuple[int, int]) -> None:
    """Make sure that a file of this name can hold a picture of this mode and (H, W).

    Raises:
        UserError: If its format is unknown or too small for the picture.
    """
    if path.suffix.lower() not in WRITABLE:
        raise UserError(f"cannot write {path}: name a file ending in {', '.join(WRITABLE)}")
    kind, modes, limit = WRITABLE[path.suffix.lower()]
    if mode not in modes:
        raise UserError(f"cannot write {path}: {kind} cannot hold a picture of mode {mode}")
    if limit is not None and max(size) > limit:
        raise UserError(f"cannot write {path}: {kind} has no sides over {limit} pixels; use .png")


def output_name(path: Path) -> Path:
    """Return the name under which a result is stored: the input's, or that with ``.png``."""
    if path.suffix.lower() in WRITABLE:
        return path
    return path.with_name(path.name + ".png")


def displayed(picture: Picture) -> np.ndarray:
    """How a picture looks on a white page: (H, W, 3) uint8, in RGB."""
    from PIL import Image

    pixels = picture.pixels
    if pixels.dtype == np.uint16:
        pixels = from_float(to_float(pixels), np.dtype(np.uint8))
    image = Image.fromarray(pixels[..., 0] if picture.mode == "L" else pixels, picture.mode)
    if picture.mode in ("LA", "RGBA"):
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"))


def write(path: str | Path, picture: Picture) -> None:
    """Write a picture in the format of the file's name, atomically.

    16-bit pictures stay so in PNG and TIFF; other formats have 8 bits. 16-bit grey with
    alpha becomes RGBA.

    Raises:
        UserError: If the format cannot hold the picture, or the file cannot be written.
    """
    path = Path(path)
    height, width = picture.pixels.shape[:2]
    check_writable(path, picture.mode, (height, width))
    try:
        with replacing(path) as temporary:
            _encode(temporary, picture, WRITABLE[path.suffix.lower()][0])
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error


def to_float(pixels: np.ndarray) -> np.ndarray:
    """uint8 or uint16 to float32 in [0, 1]."""
    return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)


def from_float(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Floats, clipped to [0, 1], to the nearest level of uint8 or uint16.

    Raises:
        UserError: If some are no numbers, which would otherwise become black.
    """
    if not np.isfinite(values).all():
        raise UserError("the result is no picture: the network's numbers have overflowed to NaN")
    levels = np.iinfo(dtype).max
    return (values.clip(0, 1) * levels).round().astype(dtype)


def _read(path: str | Path, image: Image.Image) -> Picture:
    sixteen = ";16" in _raw_mode(image)
    exif = image.getexif()
    orientation = exif.pop(_ORIENTATION, 1)
    image.load()
    mode = _plain_mode(image, sixteen)
    pixels = _read_sixteen(path, mode) if sixteen else _decoded(image, mode)
    return Picture(
        pixels=_upright(pixels, orientation),
        mode=mode,
        icc_profile=image.info.get("icc_profile"),
        exif=exif.tobytes() if exif else None,
    )


def _raw_mode(image: Image.Image) -> str:
    """Pillow's name for how the pixels lie in the file, such as ``RGB;16B``."""
    if image.mode.startswith("I;16"):
        return image.mode
    tiles = getattr(image, "tile", None)
    arguments = tiles[0][3] if tiles else ""
    return str(arguments[0] if isinstance(arguments, tuple) else arguments)


def _plain_mode(image: Image.Image, sixteen: bool) -> str:
    if sixteen:
        return "L" if image.mode.startswith("I") else image.mode
    if image.mode in ("I", "F"):
        raise UserError(
            f"cannot read {image.filename}: pictures of mode {image.mode} "  # type: ignore[attr-defined]
            "(32 bits a channel) are not supported"
        )
    if image.has_transparency_data:
        return "LA" if image.mode in ("1", "L", "LA", "La") else "RGBA"
    return {"1": "L", "L": "L", "CMYK": "CMYK"}.get(image.mode, "RGB")


def _decoded(image: Image.Image, mode: str) -> np.ndarray:
    pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    return pixels.reshape(*pixels.shape[:2], -1)


def _read_sixteen(path: str | Path, mode: str) -> np.ndarray:
    """Read a file that Pillow has found sound; OpenCV's order is BGR(A), also for LA."""
    import cv2

    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        raise UserError(f"cannot read the 16-bit picture {path}")
    order = {"L": [0], "LA": [0, 3], "RGB": [2, 1, 0], "RGBA": [2, 1, 0, 3]}[mode]
    return pixels.reshape(*pixels.shape[:2], -1)[..., order]


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Undo the eight EXIF orientations: 5 to 8 swap the axes, some flip one or both."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


def _encode(path: Path, picture: Picture, kind: str) -> None:
    from PIL import Image

    pixels = picture.pixels
    if pixels.dtype == np.uint16 and kind in ("PNG", "TIFF"):
        if picture.mode == "LA":  # which no library both writes and reads
            picture = replace(picture, mode="RGBA", pixels=pixels[..., [0, 0, 0, 1]])
        (_encode_png16 if kind == "PNG" else _encode_tiff16)(path, picture)
        return
    if pixels.dtype == np.uint16:
        pixels = from_float(to_float(pixels), np.dtype(np.uint8))
    grey = picture.mode == "L"
    image = Image.fromarray(pixels[..., 0] if grey else pixels, mode=picture.mode)
    image.save(
        path,
        format=kind,
        icc_profile=picture.icc_profile,
        exif=picture.exif or b"",
        **_SAVE_OPTIONS.get(kind, {}),
    )


def _encode_png16(path: Path, picture: Picture) -> None:
    """OpenCV has no words for profile and EXIF, so they are put after the header chunk."""
    import cv2
    from PIL.PngImagePlugin import putchunk

    pixels = picture.pixels
    if picture.mode != "L":
        pixels = pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    _, encoded = cv2.imencode(".png", np.ascontiguousarray(pixels))
    header = 33  # signature 8, IHDR 25
    with path.open("wb") as stream:
        stream.write(encoded[:header].data)
        if picture.icc_profile:
            putchunk(stream, b"iCCP", b"ICC Profile\0\0", zlib.compress(picture.icc_profile))
        if picture.exif:
            putchunk(stream, b"eXIf", picture.exif.removeprefix(b"Exif\0\0"))
        stream.write(encoded[header:].data)


def _encode_tiff16(path: Path, picture: Picture) -> None:
    import tifffile

    grey = picture.mode == "L"
    tifffile.imwrite(
        path,
        picture.pixels[..., 0] if grey else picture.pixels,
        photometric="minisblack" if grey else "rgb",
        extrasamples=["unassalpha"] if picture.mode == "RGBA" else None,
        iccprofile=picture.icc_profile,
        compression="zlib",
    )
