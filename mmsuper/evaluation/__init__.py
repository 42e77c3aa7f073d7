"""Measures of restored pictures: functions, and the metrics that configs name."""

from mmsuper.evaluation.functional import psnr, ssim, to_y
from mmsuper.evaluation.metrics import PSNR, SSIM

__all__ = ["PSNR", "SSIM", "psnr", "ssim", "to_y"]
