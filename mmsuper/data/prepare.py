"""Make what training and evaluation configs read out of downloaded or own pictures."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np
from PIL import Image

from mmsuper.data.degrade import blur_down
from mmsuper.data.resize import crop_to_multiple, imresize
from mmsuper.errors import UserError
from mmsuper.files import write_text

_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"}
# The paper's sub-images: HR 480x480, a new one every 240 pixels.
_SIDE, _STEP = 480, 240
_REDS_ALL, _REDS_TRAINING = 270, 240
_REDS4 = ("000", "011", "015", "020")
_PAGE = "docs/data.md says how to lay out each data set"


def div2k(
    source: Path, target: Path, scales: Sequence[int] = (2, 3, 4), jobs: int | None = None
) -> int:
    """Cut the training pictures of DIV2K into overlapping sub-images.

    Reads ``DIV2K_train_HR/NAME.png`` and ``DIV2K_train_LR_bicubic/XN/NAMExN.png``; writes
    ``DIV2K_train_HR_sub``, ``DIV2K_train_LR_bicubic/XN_sub`` (``NAME_s001.png`` ...) and the
    list ``train_sub.txt``. A sub-image has a twelfth of the pixels that a whole
    picture makes a loader decode for one small crop.

    Args:
        source: Folder of the download.
        target: Where the folders are written, usually the same.
        scales: Which LR folders to cut.
        jobs: Processes; one for each core if not given.

    Returns:
        How many sub-images each folder has.

    Raises:
        UserError: If a folder or picture is missing, damaged or of the wrong size.
    """
    high = source / "DIV2K_train_HR"
    pictures = _pictures(high)
    folders = {1: (high, target / "DIV2K_train_HR_sub")}
    for scale in scales:
        low = source / "DIV2K_train_LR_bicubic"
        folders[scale] = (low / f"X{scale}", target / low.name / f"X{scale}_sub")
        _pictures(folders[scale][0])
    with _Folders([written for _, written in folders.values()]) as partial:
        tasks = []
        for path in pictures:
            size = _size(path)
            for scale, (folder, written) in folders.items():
                name = path.name if scale == 1 else f"{path.stem}x{scale}{path.suffix}"
                tasks.append((folder / name, partial[written], path.stem, scale, size))
        _run_all(_cut, tasks, jobs, "sub-images")
        names = sorted(path.name for path in partial[target / "DIV2K_train_HR_sub"].iterdir())
    (target / "train_sub.txt").write_text("".join(f"{name}\n" for name in names))
    return len(names)


def pairs(
    source: Path, target: Path, scales: Sequence[int] = (2, 3, 4), jobs: int | None = None
) -> int:
    """Make ``HR`` and ``LRxN`` folders from pictures, by MATLAB bicubic.

    ``HR`` holds the pictures as PNG in RGB, cropped at the right and the bottom to a
    multiple of 12 so that every scale divides it. ``pictures.txt`` lists their names, which
    fixes their order.

    Args:
        source: A folder of pictures.
        target: Gets ``HR`` and ``LRx2`` ... with the same file names.
        scales: Which LR folders to make.
        jobs: Processes; one for each core if not given.

    Returns:
        How many pictures there are.

    Raises:
        UserError: If there are no pictures, or one is damaged or smaller than 12x12.
    """
    pictures = _pictures(source)
    stems = [path.stem for path in pictures]
    for stem in stems:
        if stems.count(stem) > 1:
            raise UserError(f"{source} has several pictures called {stem}; rename them")
    folders = {1: target / "HR"} | {scale: target / f"LRx{scale}" for scale in scales}
    with _Folders(list(folders.values())) as partial:
        written = {scale: partial[folder] for scale, folder in folders.items()}
        _run_all(_reduce, [(path, written) for path in pictures], jobs, "pictures")
    (target / "pictures.txt").write_text("".join(f"{stem}.png\n" for stem in stems))
    return len(pictures)


def reds(folder: Path) -> int:
    """Merge REDS' validation clips into the training ones, and list what is for what.

    As the papers do: clips 000 to 029 of ``val_sharp`` become 240 to 269 of ``train_sharp``, as
    links, and the same for ``*_sharp_bicubic/X4``. Clips 000, 011, 015 and 020, "REDS4", are for
    measuring (``reds4.txt``), the other 266 for training (``train.txt``).

    Args:
        folder: Has the unpacked downloads ``train_sharp``, ``val_sharp`` and so on.

    Returns:
        How many clips there are for training.

    Raises:
        UserError: If a clip is missing.
    """
    for kind in ("sharp", "sharp_bicubic/X4"):
        train, validation = folder / f"train_{kind}", folder / f"val_{kind}"
        for number in range(_REDS_TRAINING):
            _need_folder(train / f"{number:03d}")
        for number in range(_REDS_ALL - _REDS_TRAINING):
            clip, link = validation / f"{number:03d}", train / f"{_REDS_TRAINING + number:03d}"
            if not link.exists():
                _need_folder(clip)
                link.symlink_to(os.path.relpath(clip, train))
    names = [f"{number:03d}" for number in range(_REDS_ALL)]
    training = [name for name in names if name not in _REDS4]
    write_text(folder / "train.txt", "".join(f"{name}\n" for name in training))
    write_text(folder / "reds4.txt", "".join(f"{name}\n" for name in _REDS4))
    return len(training)


def vimeo90k(folder: Path, jobs: int | None = None) -> int:
    """Make ``BDx4`` of the septuplets of Vimeo-90K, by :func:`mmsuper.data.degrade.blur_down`.

    Args:
        folder: Has the unpacked ``sequences/00001/0001/im1.png`` ..., ``sep_trainlist.txt`` and
            ``sep_testlist.txt``.
        jobs: Processes; one for each core if not given.

    Returns:
        How many clips the lists name.

    Raises:
        UserError: If a list or a picture is missing or damaged.
    """
    clips: list[str] = []
    for name in ("sep_trainlist.txt", "sep_testlist.txt"):
        if not (folder / name).is_file():
            raise UserError(f"no {folder / name}; {_PAGE}")
        clips += (folder / name).read_text().split()
    written = folder / "BDx4"
    with _Folders([written]) as partial:
        tasks = [
            (
                [folder / "sequences" / clip / f"im{i}.png" for i in range(1, 8)],
                partial[written] / clip,
                None,
            )
            for clip in clips
        ]
        _run_all(_blur_clip, tasks, jobs, "clips")
    return len(clips)


def clips_bd(source: Path, target: Path, jobs: int | None = None) -> int:
    """Make ``GT`` and ``BDx4`` of clips, such as those of Vid4 and UDM10.

    ``GT`` holds the frames as PNG in RGB, cropped at the right and the bottom to a multiple of 4;
    ``BDx4`` what :func:`mmsuper.data.degrade.blur_down` makes of them. Names stay.

    Args:
        source: A folder of clips, each a folder of frames, or of a folder ``truth`` of frames.
        target: Gets ``GT/CLIP/NAME.png`` and ``BDx4/CLIP/NAME.png``.
        jobs: Processes; one for each core if not given.

    Returns:
        How many clips there are.

    Raises:
        UserError: If there are no clips, or a frame is damaged.
    """
    _need_folder(source)
    clips = sorted(path for path in source.iterdir() if path.is_dir())
    if not clips:
        raise UserError(f"{source} has no folders; each clip is to be a folder of frames")
    folders = [target / "GT", target / "BDx4"]
    with _Folders(folders) as partial:
        high, low = (partial[folder] for folder in folders)
        tasks = []
        for clip in clips:
            frames = _pictures(clip / "truth" if (clip / "truth").is_dir() else clip)
            tasks.append((frames, low / clip.name, high / clip.name))
        _run_all(_blur_clip, tasks, jobs, "clips")
    return len(clips)


class _Folders:
    """Folders written under temporary names, which get their own when all is done."""

    def __init__(self, folders: list[Path]) -> None:
        self.partial = {folder: folder.with_name(f".{folder.name}.partial") for folder in folders}

    def __enter__(self) -> dict[Path, Path]:
        for folder, partial in self.partial.items():
            if folder.exists():
                raise UserError(f"{folder} is there already; delete it to make it again")
            shutil.rmtree(partial, ignore_errors=True)
            try:
                partial.mkdir(parents=True)
            except OSError as error:
                raise UserError(f"cannot write {partial}: {error.strerror}") from error
        return self.partial

    def __exit__(self, kind: object, *_: object) -> None:
        for folder, partial in self.partial.items():
            if kind is None:
                partial.rename(folder)
            else:
                shutil.rmtree(partial, ignore_errors=True)


def _need_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(f"no folder {folder}; {_PAGE}")


def _pictures(folder: Path) -> list[Path]:
    _need_folder(folder)
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES)
    if not found:
        raise UserError(f"no pictures in {folder}")
    return found


def _run_all(work: Callable[..., None], tasks: list[tuple], jobs: int | None, what: str) -> None:
    from rich.progress import track

    with ProcessPoolExecutor(jobs or os.cpu_count()) as pool:
        futures = [pool.submit(work, *task) for task in tasks]
        try:
            for future in track(as_completed(futures), what, total=len(futures)):
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _read(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.array(image.convert("RGB"))
    except FileNotFoundError:
        raise UserError(f"{path} is missing; the download is incomplete") from None
    except OSError as error:
        raise UserError(f"{path} is damaged ({error}); download it again") from error


def _size(path: Path) -> tuple[int, int]:
    """Height and width, from the file's header."""
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except OSError as error:
        raise UserError(f"{path} is damaged ({error}); download it again") from error


def _cut(path: Path, folder: Path, stem: str, scale: int, size: tuple[int, int]) -> None:
    """Write the sub-images of one picture, whose HR version has ``size``."""
    image = _read(path)
    if image.shape[:2] != (size[0] // scale, size[1] // scale):
        raise UserError(
            f"{path} of {image.shape[1]}x{image.shape[0]} pixels does not belong to a picture "
            f"of {size[1]}x{size[0]} reduced {scale} times"
        )
    side = _SIDE // scale
    corners = [(top, left) for top in _starts(size[0]) for left in _starts(size[1])]
    for number, (top, left) in enumerate(corners, start=1):
        window = np.s_[top // scale : top // scale + side, left // scale : left // scale + side]
        Image.fromarray(image[window]).save(folder / f"{stem}_s{number:03d}.png", compress_level=3)


def _starts(length: int) -> Iterable[int]:
    """Where sub-images begin along an axis; the last one ends with the picture."""
    last = length - _SIDE
    if last < 0:
        raise UserError(f"a picture of {length} pixels is too small for {_SIDE}x{_SIDE} pieces")
    # Multiples of 12 keep HR and LR aligned at every scale.
    return sorted({*range(0, last + 1, _STEP), last - last % 12})


def _reduce(path: Path, folders: dict[int, Path]) -> None:
    image = crop_to_multiple(_read(path), 12)
    if image.size == 0:
        raise UserError(f"{path} is smaller than 12x12 pixels")
    for scale, folder in folders.items():
        small = image if scale == 1 else imresize(image, 1 / scale)
        Image.fromarray(small).save(folder / f"{path.stem}.png")


def _blur_clip(frames: list[Path], low: Path, high: Path | None) -> None:
    """Write reduced frames, and the frames themselves where ``high`` says."""
    for folder in (low, high):
        if folder is not None:
            folder.mkdir(parents=True)
    size = None
    for path in frames:
        image = crop_to_multiple(_read(path), 4)
        size = size or image.shape
        if image.shape != size or image.size == 0:
            raise UserError(
                f"{path} of {image.shape[1]}x{image.shape[0]} pixels is not of the "
                f"size of {frames[0]}, or smaller than 4x4"
            )
        Image.fromarray(blur_down(image)).save(low / f"{path.stem}.png")
        if high is not None:
            Image.fromarray(image).save(high / f"{path.stem}.png")
