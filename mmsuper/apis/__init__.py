"""What a program may ask of mmsuper without touching a config."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mmsuper.apis.models import ModelInfo, find_config, find_model, list_models, task_of

if TYPE_CHECKING:
    from mmsuper.apis.recognition import RecognitionInferencer
    from mmsuper.apis.restoration import RestorationInferencer
    from mmsuper.apis.video import VideoInferencer

__all__ = ["ModelInfo", "find_model", "inferencer", "list_models"]


def inferencer(
    model: str | Path, weights: str | Path | None = None, device: str = "auto"
) -> RecognitionInferencer | RestorationInferencer | VideoInferencer:
    """A model, ready to be called on pictures or clips.

    Args:
        model: Name of a model or of a paper (``python -m mmsuper list``), or path of a config.
        weights: Checkpoint, ours or the authors'; the one that ships with the model if None.
        device: ``auto`` (CUDA, else MPS, else CPU), or a device of PyTorch.

    Returns:
        A :class:`~mmsuper.apis.restoration.RestorationInferencer`, called on one picture, for
        super-resolution; a :class:`~mmsuper.apis.video.VideoInferencer`, called on the frames
        of a clip, for that of videos; for other tasks a
        :class:`~mmsuper.apis.recognition.RecognitionInferencer`, called on several pictures.

    Raises:
        UserError: If the model, its weights or the device are no valid choice.
    """
    from mmsuper import configuration

    task = task_of(configuration.read(find_config(model)))
    if task == "video super-resolution":
        from mmsuper.apis.video import VideoInferencer

        return VideoInferencer(model, weights, device)
    if task == "super-resolution":
        from mmsuper.apis.restoration import RestorationInferencer

        return RestorationInferencer(model, weights, device)
    from mmsuper.apis.recognition import RecognitionInferencer

    return RecognitionInferencer(model, weights, device)
