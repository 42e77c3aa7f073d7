"""Predictions as picture files, for ``test --show-dir``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.hooks import Hook

from mmsuper.errors import UserError
from mmsuper.files import replacing
from mmsuper.registry import HOOKS


@HOOKS.register_module()
class SavePicturesHook(Hook):
    """Write every prediction of a test as a PNG, named after its input; a clip's in a folder.

    Restored pictures are written as they are; other predictions (boxes, masks, classes) are
    drawn into the input by the config's visualizer.

    Args:
        folder: Where to; it is made.
    """

    priority = "LOW"

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def before_test(self, runner: Any) -> None:
        """Fail before any work if nothing can be written."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"--show-dir cannot make {self.folder}: {error.strerror}") from error

    def after_test_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[Any] | None = None,
    ) -> None:
        """Write the predictions of a batch."""
        for number, sample in enumerate(outputs or []):
            sources = _sources(sample)
            restored = _restored(sample)
            if restored is not None and restored.ndim == 4:
                for source, frame in zip(sources, restored, strict=True):
                    _write(self.folder / source.parent.name / f"{source.stem}.png", frame)
                continue
            name = sources[0].stem if sources else f"{batch_idx:06d}_{number}"
            picture = _drawn(runner, name, sources, sample) if restored is None else restored
            _write(self.folder / f"{name}.png", picture)


def _sources(sample: Any) -> list[Path]:
    """The file of a picture, or those of a clip's frames; none if it does not say."""
    paths = sample.get("img_path") or sample.get("gt_path") or []
    return [Path(path) for path in (paths if isinstance(paths, (list, tuple)) else [paths])]


def _restored(sample: Any) -> np.ndarray | None:
    """What a restoration model predicted, (H, W, 3) or of a clip (T, H, W, 3), RGB.

    None from other models.
    """
    output = sample.get("output")
    prediction = output.get("pred_img") if output is not None else None
    if prediction is None:
        return None
    array = prediction.detach().cpu().float().clamp(0, 255).round().byte().numpy()
    return np.moveaxis(array[..., ::-1, :, :], -3, -1)  # mmagic's editors hand out BGR


def _drawn(runner: Any, name: str, sources: list[Path], sample: Any) -> np.ndarray:
    import mmcv

    if not sources:
        raise UserError("--show-dir cannot tell which picture a prediction belongs to")
    image = mmcv.imread(str(sources[0]), channel_order="rgb")
    runner.visualizer.add_datasample(name, image, data_sample=sample, show=False, draw_gt=False)
    return runner.visualizer.get_image()


def _write(path: Path, picture: np.ndarray) -> None:
    from PIL import Image

    path.parent.mkdir(exist_ok=True)
    with replacing(path) as temporary:
        Image.fromarray(np.ascontiguousarray(picture)).save(temporary, format="PNG")
