"""Measures of restored pictures: functions, and the metrics that configs name."""

from mmsuper.evaluation.functional import niqe, psnr, ssim, to_y
from mmsuper.evaluation.metrics import LPIPS, NIQE, PSNR, SSIM

__all__ = ["LPIPS", "NIQE", "PSNR", "SSIM", "niqe", "psnr", "ssim", "to_y"]
