"""The registered metrics of restoration models.

They take what mmagic's editors hand out: data samples with ``gt_img`` and
``output.pred_img``, tensors (C, H, W) or (T, C, H, W) in BGR order with values in [0, 255].
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mmengine.evaluator import BaseMetric

from mmsuper.data.resize import to_uint8
from mmsuper.errors import UserError
from mmsuper.evaluation import functional
from mmsuper.registry import METRICS

if TYPE_CHECKING:
    from torch import nn


# The files in which torchvision publishes the backbones of LPIPS.
_BACKBONES = {
    "alex": "alexnet-owt-7be5be79.pth",
    "vgg": "vgg16-397923af.pth",
    "squeeze": "squeezenet1_1-b8a52dc0.pth",
}


class _PictureMetric(BaseMetric):
    """Mean over pictures of a measure of the prediction.

    Predictions are clipped and rounded to 8 bit first, as a saved picture would be: the
    papers' authors measure saved pictures, and unrounded values read 0.01 to 0.04 dB high.
    """

    name: str
    default_prefix = ""

    def __init__(
        self,
        crop_border: int = 0,
        per_image: bool = False,
        prefix: str | None = None,
        collect_device: str = "cpu",
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.crop_border = crop_border
        self.per_image = per_image

    def measure(self, prediction: np.ndarray, truth: np.ndarray) -> float:
        """The measure of one picture; both (H, W, C) uint8 in RGB."""
        raise NotImplementedError

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Measure the pictures of one batch; a clip counts as the mean of its frames."""
        for sample in data_samples:
            truth = _frames(sample["gt_img"])
            prediction = _frames(sample["output"]["pred_img"])
            if len(truth) != len(prediction):
                raise ValueError(
                    f"{_name(sample)}: {len(prediction)} frames predicted and {len(truth)} given"
                )
            values = [
                self.measure(_picture(a), _picture(b))
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


class _Fidelity(_PictureMetric):
    def __init__(self, crop_border: int = 0, y_channel: bool = False, **common: Any) -> None:
        super().__init__(crop_border, **common)
        self.y_channel = y_channel


@METRICS.register_module()
class PSNR(_Fidelity):
    """Peak signal-to-noise ratio in dB, see :func:`mmsuper.evaluation.psnr`.

    Args:
        crop_border: How many pixels at each border do not count.
        y_channel: Compare luma only.
        per_image: Also return the value of every picture, by name, as ``PSNR_images``.
        prefix: Put before the metric's name, as in ``Set5/PSNR``.
        collect_device: Where results of several processes are gathered.
    """

    name = "PSNR"

    def measure(self, prediction: np.ndarray, truth: np.ndarray) -> float:
        """PSNR of one picture."""
        return functional.psnr(prediction, truth, self.crop_border, self.y_channel)


@METRICS.register_module()
class SSIM(_Fidelity):
    """Structural similarity, see :func:`mmsuper.evaluation.ssim`; arguments as of PSNR."""

    name = "SSIM"

    def measure(self, prediction: np.ndarray, truth: np.ndarray) -> float:
        """SSIM of one picture."""
        return functional.ssim(prediction, truth, self.crop_border, self.y_channel)


@METRICS.register_module()
class NIQE(_PictureMetric):
    """Naturalness without a reference, lower is better; see :func:`mmsuper.evaluation.niqe`.

    Args:
        crop_border: How many pixels at each border do not count.
        per_image: Also return the value of every picture, by name, as ``NIQE_images``.
        prefix: Put before the metric's name.
        collect_device: Where results of several processes are gathered.
    """

    name = "NIQE"

    def measure(self, prediction: np.ndarray, truth: np.ndarray) -> float:
        """NIQE of one picture."""
        return functional.niqe(prediction, self.crop_border)


@METRICS.register_module()
class LPIPS(_PictureMetric):
    """Perceptual distance by deep features, lower is better, of the ``lpips`` package.

    The package has the calibration but not the backbone, whose ImageNet weights torchvision
    would download; here they must be in torch's hub folder already, so that an evaluation
    never depends on the network.

    Args:
        crop_border: How many pixels at each border do not count.
        backbone: ``alex``, ``vgg`` or ``squeeze``.
        per_image: Also return the value of every picture, by name, as ``LPIPS_images``.
        prefix: Put before the metric's name.
        collect_device: Where results of several processes are gathered.
    """

    name = "LPIPS"

    def __init__(self, crop_border: int = 0, backbone: str = "alex", **common: Any) -> None:
        super().__init__(crop_border, **common)
        self.network = self._load(backbone)

    def measure(self, prediction: np.ndarray, truth: np.ndarray) -> float:
        """LPIPS of one picture."""
        import torch

        border = self.crop_border
        inner = np.s_[border : truth.shape[0] - border, border : truth.shape[1] - border]
        a, b = (
            torch.from_numpy(image[inner].transpose(2, 0, 1)[None] / np.float32(127.5) - 1)
            for image in (prediction, truth)
        )
        with torch.inference_mode():
            return float(self.network(a, b))

    def _load(self, backbone: str) -> nn.Module:
        import lpips
        import torch

        if backbone not in _BACKBONES:
            raise UserError(f"LPIPS has no backbone {backbone!r}; it has {', '.join(_BACKBONES)}")
        path = Path(torch.hub.get_dir()) / "checkpoints" / _BACKBONES[backbone]
        if not path.is_file():
            raise UserError(
                f"LPIPS needs the backbone weights {path}; download "
                f"https://download.pytorch.org/models/{path.name} to there"
            )
        return lpips.LPIPS(net=backbone, verbose=False).eval()


def _frames(tensor: Any) -> Any:
    """A tensor (C, H, W) or (T, C, H, W) as (T, C, H, W)."""
    return tensor[None] if tensor.ndim == 3 else tensor


def _picture(tensor: Any) -> np.ndarray:
    """A tensor (C, H, W) in BGR as a picture (H, W, C) uint8 in RGB."""
    array = tensor.detach().cpu().double().numpy()
    return to_uint8(array[::-1].transpose(1, 2, 0))


def _name(sample: dict) -> str:
    """Name of the picture's file, or of the folder with the clip's frames."""
    path = sample.get("gt_path") or sample.get("img_path") or sample.get("key", "")
    return Path(path[0]).parent.name if isinstance(path, (list, tuple)) else Path(path).stem
