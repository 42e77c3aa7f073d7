"""Models and tokenizers from folders or the Hugging Face hub, with errors in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mmsuper.errors import UserError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load_model(
    folder_or_id: str | Path,
    dtype: str | torch.dtype | None = None,
    device: str | torch.device = "cpu",
    device_map: str | Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> PreTrainedModel:
    """A causal language model, in evaluation mode.

    Args:
        folder_or_id: A Hugging Face folder, or the name of a model on the hub.
        dtype: Of the weights, such as ``"bfloat16"``; as they are stored if None.
        device: Where the whole model goes.
        device_map: How accelerate spreads the model over devices instead, such as
            ``"auto"``; ``device`` then means nothing.
        options: More arguments of ``from_pretrained``, such as ``revision``.

    Raises:
        UserError: If there is no such model, its files are damaged or lack weights.
    """
    auto = transformers().AutoModelForCausalLM
    options = {"dtype": dtype or "auto", "device_map": device_map, **(options or {})}
    model, found = _load(
        lambda name: auto.from_pretrained(name, output_loading_info=True, **options),
        "model",
        folder_or_id,
    )
    if found["missing_keys"]:
        missing = sorted(found["missing_keys"])
        raise UserError(
            f"the weights in {folder_or_id} lack {len(missing)} tensors, such as {missing[0]}"
        )
    return model.eval() if device_map else model.eval().to(device)


def load_tokenizer(
    folder_or_id: str | Path, options: Mapping[str, Any] | None = None
) -> PreTrainedTokenizerBase:
    """The tokenizer of a Hugging Face folder or of a model on the hub.

    Args:
        folder_or_id: A Hugging Face folder, or the name of a model on the hub.
        options: More arguments of ``from_pretrained``, such as ``revision``.

    Raises:
        UserError: If there is none, or its files are damaged.
    """
    auto = transformers().AutoTokenizer
    return _load(
        lambda name: auto.from_pretrained(name, **(options or {})), "tokenizer", folder_or_id
    )


def transformers() -> ModuleType:
    """The library, without its progress bars; imported when it is first needed.

    Raises:
        UserError: If it is not installed.
    """
    try:
        import transformers
    except ModuleNotFoundError as error:
        raise UserError(
            f"language models need {error.name}, which is not installed: "
            "pip install 'mmsuper-lab[llm]'"
        ) from error
    transformers.utils.logging.disable_progress_bar()
    return transformers


def _load(load: Callable[[str], Any], what: str, name: str | Path) -> Any:
    folder = Path(name)
    if not folder.is_dir() and (folder.exists() or len(folder.parts) > 2 or folder.is_absolute()):
        raise UserError(f"no {what} at {name}: it is neither a folder nor a name on the hub")
    if folder.is_dir() and not (folder / "config.json").is_file() and what == "model":
        raise UserError(f"no model in {name}: a Hugging Face folder has a config.json")
    try:
        return load(str(name))
    except Exception as error:
        # Of damaged files each format has errors of its own.
        place = "in" if folder.is_dir() else "on the hub, nor a folder, called"
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"no usable {what} {place} {name}: {reason}") from error
