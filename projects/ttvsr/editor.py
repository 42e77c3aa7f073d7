"""TTVSR as MMEngine trains and tests it: losses of clips, predictions, frozen flow."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from torch import Tensor

from mmsuper.projects.ttvsr import block_matching
from mmsuper.projects.ttvsr.streaming import stored
from mmsuper.registry import MODELS


@MODELS.register_module()
class TTVSREditor(BaseModel):
    """A network of clips with its loss, in the manner of mmagic's ``BaseEditModel``.

    A prediction keeps what it can off the device (:func:`~mmsuper.projects.ttvsr.streaming.
    stored`), so that clips of hundreds of frames are tested where they could not be trained.
    Where the truth is one picture and not a clip, so is the prediction; see :func:`middle`.

    Args:
        generator: Config of the network.
        pixel_loss: Config of the loss, of enlarged frames and true ones.
        fix_iter: The flow network does not learn in the first so many iterations. They are
            counted by the training loop, so there is nothing to keep in a checkpoint.
        match_blocks: Begin with flow weights made by hand
            (:func:`~mmsuper.projects.ttvsr.block_matching.match_blocks`), for want of better.
        frame_by_frame: Give the network one frame at a time: what it can do without time.
        data_preprocessor: Config of mmagic's ``DataPreprocessor``; (N, T, 3, H, W) in [0, 1],
            RGB, is to come out of it.
        init_cfg: See MMEngine's ``BaseModule``.
    """

    def __init__(
        self,
        generator: dict,
        pixel_loss: dict,
        fix_iter: int = 0,
        match_blocks: bool = False,
        frame_by_frame: bool = False,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.generator = MODELS.build(generator)
        if match_blocks:
            block_matching.match_blocks(self.generator.spynet)
        self.pixel_loss = MODELS.build(pixel_loss)
        self.fix_iter = fix_iter
        self.frame_by_frame = frame_by_frame

    def forward(self, inputs: Tensor, data_samples: Any = None, mode: str = "tensor") -> Any:
        """Enlarge clips.

        Args:
            inputs: (N, T, 3, H, W).
            data_samples: One mmagic ``DataSample`` that holds those of the batch, stacked.
            mode: What to return. "tensor": enlarged clips, (N, T, 3, 4H, 4W); "loss": a dict
                of losses; "predict": a list of data samples, with ``output.pred_img``.
        """
        if mode == "predict":
            return self._predict(inputs, data_samples)
        if mode == "loss":
            learns = MessageHub.get_current_instance().get_info("iter", 0) >= self.fix_iter
            self.generator.spynet.requires_grad_(learns)
            return {"loss": self.pixel_loss(self._enlarge(inputs), data_samples.gt_img)}
        return self._enlarge(inputs)

    def _enlarge(self, inputs: Tensor) -> Tensor:
        if self.frame_by_frame:
            return torch.cat([self.generator(frame) for frame in inputs.split(1, dim=1)], dim=1)
        return self.generator(inputs)

    def _predict(self, inputs: Tensor, data_samples: Any) -> list[Any]:
        frames = inputs.unbind(1)
        clips = [[frame] for frame in frames] if self.frame_by_frame else [frames]
        enlarged = [frame.cpu() for clip in clips for frame in stored(self.generator, clip)]
        truth = data_samples.get("gt_img")
        single = truth is not None and truth.ndim == 4
        if single:
            enlarged = [middle(torch.stack(enlarged, dim=1), mirrored_twice(inputs))]
        pictures = torch.stack([self._picture(x, data_samples) for x in enlarged], dim=1)
        samples = data_samples.split()
        for sample, predicted in zip(samples, pictures, strict=True):
            sample.output = type(sample)(pred_img=predicted[0] if single else predicted)
        return samples

    def _picture(self, frame: Tensor, data_samples: Any) -> Tensor:
        """A frame in [0, 255] and mmagic's order of colours."""
        frame = frame.to(self.data_preprocessor.device)
        return self.data_preprocessor.destruct(frame, data_samples).cpu()


def mirrored_twice(clip: Tensor) -> bool:
    """Whether a clip (N, T, 3, H, W) is a shorter one with its reverse, twice."""
    if clip.shape[1] % 4:
        return False
    first, reverse, again, last = clip.chunk(4, dim=1)
    return all(torch.equal(first, x) for x in (reverse.flip(1), again, last.flip(1)))


def middle(clip: Tensor, mirrored: bool) -> Tensor:
    """The middle frame of enlarged clips, (N, T, 3, H, W) to (N, 3, H, W).

    Args:
        clip: The clips.
        mirrored: Whether they are shorter ones with their reverse, twice. The middle frame
            of those occurs four times, and the mean is taken.
    """
    if not mirrored:
        return clip[:, clip.shape[1] // 2]
    length = clip.shape[1] // 4
    half = length // 2
    places = [half, 2 * length - 1 - half, 2 * length + half, 4 * length - 1 - half]
    return clip[:, places].mean(1)
