"""The registered metrics of restoration models.

They take what mmagic's editors hand out: data samples with ``gt_img`` and
``output.pred_img``, tensors (C, H, W) in BGR order with values in [0, 255].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric

from mmsuper.data.resize import to_uint8
from mmsuper.evaluation.functional import psnr, ssim
from mmsuper.registry import METRICS


class _PictureMetric(BaseMetric):
    """Mean over pictures of a comparison of prediction and ground truth.

    Predictions are clipped and rounded to 8 bit first, as a saved picture would be: the
    papers' authors measure saved pictures, and unrounded values read 0.01 to 0.04 dB high.

    Args:
        crop_border: How many pixels at each border do not count.
        y_channel: Compare luma only.
        per_image: Also return the value of every picture, by name, as ``NAME_images``.
        prefix: Put before the metric's name, as in ``Set5/PSNR``.
        collect_device: Where results of several processes are gathered.
    """

    name: str
    measure: Callable[..., float]
    default_prefix = ""

    def __init__(
        self,
        crop_border: int = 0,
        y_channel: bool = False,
        per_image: bool = False,
        prefix: str | None = None,
        collect_device: str = "cpu",
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.crop_border = crop_border
        self.y_channel = y_channel
        self.per_image = per_image

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Measure the pictures of one batch; a clip counts as the mean of its frames."""
        for sample in data_samples:
            truth = _frames(sample["gt_img"])
            prediction = [to_uint8(frame) for frame in _frames(sample["output"]["pred_img"])]
            if len(truth) != len(prediction):
                raise ValueError(
                    f"{_name(sample)}: {len(prediction)} predicted frames for {len(truth)}"
                )
            values = [
                type(self).measure(a, b, self.crop_border, self.y_channel)
                for a, b in zip(prediction, truth, strict=True)
            ]
            self.results.append({"image": _name(sample), self.name: float(np.mean(values))})

    def compute_metrics(self, results: list[dict]) -> dict[str, Any]:
        """Mean over pictures, and the pictures' values sorted by name."""
        results = sorted(results, key=lambda result: result["image"])
        metrics: dict[str, Any] = {self.name: float(np.mean([r[self.name] for r in results]))}
        if self.per_image:
            metrics[f"{self.name}_images"] = results
        return metrics


@METRICS.register_module()
class PSNR(_PictureMetric):
    """Peak signal-to-noise ratio in dB, see :func:`mmsuper.evaluation.psnr`."""

    name = "PSNR"
    measure = staticmethod(psnr)


@METRICS.register_module()
class SSIM(_PictureMetric):
    """Structural similarity, see :func:`mmsuper.evaluation.ssim`."""

    name = "SSIM"
    measure = staticmethod(ssim)


def _frames(tensor: Any) -> list[np.ndarray]:
    """A tensor (C, H, W) or (T, C, H, W) in BGR as pictures (H, W, C) in RGB, float64."""
    array = tensor.detach().cpu().double().numpy()
    array = array[None] if array.ndim == 3 else array
    return [frame[::-1].transpose(1, 2, 0) for frame in array]


def _name(sample: dict) -> str:
    path = sample.get("gt_path") or sample.get("img_path") or sample.get("key", "")
    path = path[0] if isinstance(path, (list, tuple)) else path
    return Path(path).stem
