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
    """Write every prediction of a test as a PNG, named after its input.

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
            source = _source(sample)
            name = source.stem if source else f"{batch_idx:06d}_{number}"
            picture = _restored(sample)
            if picture is None:
                picture = _drawn(runner, name, source, sample)
            _write(self.folder / f"{name}.png", picture)


def _source(sample: Any) -> Path | None:
    path = sample.get("img_path") or sample.get("gt_path")
    path = path[0] if isinstance(path, (list, tuple)) else path
    return Path(path) if path else None


def _restored(sample: Any) -> np.ndarray | None:
    """The picture (H, W, 3), RGB, that a restoration model predicted; None from other models."""
    output = sample.get("output")
    prediction = output.get("pred_img") if output is not None else None
    if prediction is None or prediction.ndim != 3:
        return None
    array = prediction.detach().cpu().float().clamp(0, 255).round().byte().numpy()
    return array[::-1].transpose(1, 2, 0)  # mmagic's editors hand out BGR


def _drawn(runner: Any, name: str, source: Path | None, sample: Any) -> np.ndarray:
    import mmcv

    if source is None:
        raise UserError("--show-dir cannot tell which picture a prediction belongs to")
    image = mmcv.imread(str(source), channel_order="rgb")
    runner.visualizer.add_datasample(name, image, data_sample=sample, show=False, draw_gt=False)
    return runner.visualizer.get_image()


def _write(path: Path, picture: np.ndarray) -> None:
    from PIL import Image

    with replacing(path) as temporary:
        Image.fromarray(np.ascontiguousarray(picture)).save(temporary, format="PNG")
