"""A config's model as a plain function of one tensor, which is what is measured."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from mmsuper.apis.models import task_of
from mmsuper.errors import UserError

if TYPE_CHECKING:
    from mmengine.config import Config

# Input sizes (C, H, W) at which the papers of each host library count costs.
SHAPES = {
    "mmagic": (3, 64, 64),
    "mmdet": (3, 800, 1280),
    "mmpretrain": (3, 224, 224),
    "mmseg": (3, 512, 512),
}
# Of a clip, (T, C, H, W).
CLIP = (5, 3, 64, 64)


def build(config: Config) -> torch.nn.Module:
    """The config's model, in evaluation mode and with untrained weights.

    Raises:
        UserError: If the config has no model.
    """
    from mmengine.registry import MODELS, DefaultScope, init_default_scope

    if "model" not in config:
        raise UserError(f"{config.filename} has no model")
    if DefaultScope.get_current_instance() is None:
        init_default_scope(config.get("default_scope", "mmengine"))
    content = dict(config.model)
    if config.get("data_preprocessor"):
        content.setdefault("data_preprocessor", config.data_preprocessor)
    with DefaultScope.overwrite_default_scope(config.get("default_scope")):
        return MODELS.build(content).eval()


def default_shape(config: Config) -> tuple[int, ...]:
    """Input size to measure at where none is asked for."""
    if task_of(config).startswith("video"):
        return CLIP
    return SHAPES.get(config.get("default_scope", ""), (3, 224, 224))


def as_function(model: torch.nn.Module) -> tuple[torch.nn.Module, Callable[[torch.Tensor], Any]]:
    """The network inside a model, and a function of one tensor that runs it.

    It takes pictures, (N, C, H, W), or a video network's clips, (N, T, C, H, W).

    A restoration model's network is its generator. Other models are run in the mode that
    OpenMMLab calls ``tensor``: forward without loss and without post-processing.
    """
    generator = getattr(model, "generator", None)
    if generator is not None:
        return generator, generator
    if not hasattr(model, "data_preprocessor"):
        return model, model
    return model, functools.partial(_run_host_model, model)


def misfit(shape: tuple[int, ...], model: torch.nn.Module, error: Exception) -> UserError:
    """What to say of an input that a model does not take."""
    kind, reason = type(model).__name__, str(error).splitlines()[0]
    return UserError(
        f"random numbers of shape {shape} do not go through {kind}: {reason} "
        "(pictures and clips are what can be measured; --shape says their size)"
    )


# Papers count the heads of a two-stage detector for this many boxes and masks.
BOXES, MASKS = 1000, 100


def _run_host_model(model: torch.nn.Module, inputs: torch.Tensor) -> Any:
    """Forward of a detector, segmentor or classifier on pictures of their own size."""
    samples = None
    if inputs.is_meta and getattr(model, "with_rpn", False) and hasattr(model, "roi_head"):
        # As the forward of the whole, so that a count knows which part it is in.
        model.forward = functools.partial(_run_two_stages, model)
        try:
            return model(inputs)
        finally:
            del model.forward
    if any(base.__module__.startswith("mmdet.") for base in type(model).__mro__):
        from mmdet.structures import DetDataSample

        size = tuple(inputs.shape[-2:])
        names = ("img_shape", "ori_shape", "pad_shape", "batch_input_shape")
        meta = {**dict.fromkeys(names, size), "scale_factor": (1.0, 1.0)}
        samples = [DetDataSample(metainfo=meta) for _ in inputs]
    return model(inputs, samples, mode="tensor")


def _run_two_stages(model: Any, inputs: torch.Tensor) -> None:
    """Forward of a two-stage detector without data: no proposals, a fixed number of regions."""
    model.rpn_head(model.extract_feat(inputs))
    stages = model.roi_head
    for heads, extractors, count in (
        (stages.bbox_head, stages.bbox_roi_extractor, BOXES),
        (getattr(stages, "mask_head", None), getattr(stages, "mask_roi_extractor", None), MASKS),
    ):
        for head, extractor in zip(_list(heads), _list(extractors), strict=True):
            size = extractor.roi_layers[0].output_size
            head(inputs.new_empty(count, extractor.out_channels, *size))


def _list(modules: Any) -> list[Any]:
    """The modules of a cascade; one module as a cascade of one."""
    if modules is None:
        return []
    return [*modules] if isinstance(modules, torch.nn.ModuleList) else [modules]
