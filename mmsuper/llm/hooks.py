"""Hooks of language models."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import is_main_process
from mmengine.hooks import Hook

from mmsuper.engine.runners import bare
from mmsuper.registry import HOOKS


@HOOKS.register_module()
class SaveFolderHook(Hook):
    """Save the trained model with its tokenizer as a Hugging Face folder.

    The folder is ``hf`` in the work dir; it is complete or not there.

    Args:
        dtype: Of the saved weights, such as ``"bfloat16"``; as they are if None.
    """

    # After the hooks that change weights at the end.
    priority = "LOWEST"

    def __init__(self, dtype: str | None = None) -> None:
        self.dtype = None if dtype is None else getattr(torch, dtype)

    def after_train(self, runner: Any) -> None:
        """Write the folder; all processes of a sharded model take part in gathering it."""
        sharded = getattr(runner, "strategy", None)
        state = sharded.model_state_dict() if sharded else bare(runner.model).state_dict()
        if not is_main_process():
            return
        target = Path(runner.work_dir, "hf")
        draft = target.with_name(".hf.tmp")
        shutil.rmtree(draft, ignore_errors=True)
        _with_weights(bare(runner.model).model, state, self.dtype).save_pretrained(draft)
        runner.train_dataloader.dataset.tokenizer.save_pretrained(draft)
        shutil.rmtree(target, ignore_errors=True)
        draft.rename(target)
        runner.logger.info(f"Hugging Face folder: {target}")


def _with_weights(model: Any, state: dict[str, torch.Tensor], dtype: torch.dtype | None) -> Any:
    """A model of the same kind, never run, with a :class:`CausalLM`'s weights in another type."""
    with torch.device("meta"):
        copy = type(model)(model.config)
    own = {key.removeprefix("model."): value.cpu().to(dtype) for key, value in state.items()}
    copy.load_state_dict(own, assign=True)
    copy.tie_weights()
    return copy
