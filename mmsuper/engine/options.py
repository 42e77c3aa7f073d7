"""What the flags of ``train`` and ``test`` change in a config."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsuper.errors import UserError

if TYPE_CHECKING:
    from mmengine.config import Config

# Models of configs that take a Hugging Face folder or name as ``pretrained``.
LANGUAGE_MODELS = ("mmsuper.CausalLM", "mmsuper.DraftComparison")


def parse(words: Iterable[str]) -> dict[str, Any]:
    """``KEY=VALUE`` words of ``--cfg-options`` as a dict; values as MMEngine reads them.

    Raises:
        UserError: If a word is no such pair.
    """
    from mmengine.config import DictAction

    found = {}
    for word in words:
        key, separator, value = word.partition("=")
        if not key or not separator:
            raise UserError(f"--cfg-options takes KEY=VALUE, not {word!r}")
        found[key] = DictAction._parse_iterable(value)
    return found


def use_amp(config: Config) -> None:
    """``--amp``: mixed precision, float16 with loss scaling on a GPU, else bfloat16.

    Raises:
        UserError: If the config's optimiser wrapper is not the plain one.
    """
    import torch

    wrapper = config.optim_wrapper
    name = wrapper.get("type", "OptimWrapper")
    if name in ("AmpOptimWrapper", "mmsuper.AutocastOptimWrapper"):
        return
    if name != "OptimWrapper":
        raise UserError(f"--amp works with an optim_wrapper of type OptimWrapper, not {name}")
    if torch.cuda.is_available():
        wrapper.type = "AmpOptimWrapper"
        wrapper.setdefault("loss_scale", "dynamic")
    else:
        wrapper.type = "mmsuper.AutocastOptimWrapper"


def use_hugging_face(config: Config, checkpoint: str) -> bool:
    """Test a language model of Hugging Face's, with its own tokenizer.

    Args:
        config: A config, whose model and data are changed if it is a language model's.
        checkpoint: A Hugging Face folder, the weights in it, or a name on the hub.

    Returns:
        Whether the checkpoint is for a language model and no file of a training.
    """
    path = Path(checkpoint)
    if path.suffix == ".safetensors":
        path = path.parent
    if config.model.get("type") not in LANGUAGE_MODELS or path.is_file() or path.suffix == ".pth":
        return False
    config.model.pretrained = str(path)
    loaders = config.test_dataloader
    for loader in loaders if isinstance(loaders, list) else [loaders]:
        loader.dataset.tokenizer = str(path)
    return True


def check_amp(config: Config) -> None:
    """Refuse a config that trains in float16 where there is only a processor.

    Raises:
        UserError: If that is so; it says what to do.
    """
    from mmengine.device import get_device

    wrapper = config.get("optim_wrapper") or {}
    if wrapper.get("type") == "AmpOptimWrapper" and get_device() == "cpu":
        raise UserError(
            f"{config.filename} trains in float16, which takes a GPU; add "
            "--cfg-options optim_wrapper.type=OptimWrapper to train in float32"
        )


def scale_learning_rate(config: Config) -> None:
    """``--auto-scale-lr``: learning rates in proportion to the batch size over all processes.

    Raises:
        UserError: If the config does not say for which batch size its rates are.
    """
    if not config.get("auto_scale_lr", {}).get("base_batch_size"):
        raise UserError(
            "--auto-scale-lr needs auto_scale_lr = dict(base_batch_size=N) in the config, the "
            "batch size that its learning rate is for"
        )
    config.auto_scale_lr.enable = True


def no_validation(config: Config) -> None:
    """``--no-validate``: train only; there is then no best checkpoint either."""
    config.val_dataloader = config.val_cfg = config.val_evaluator = None
    checkpoint = config.get("default_hooks", {}).get("checkpoint")
    if checkpoint:
        checkpoint.pop("save_best", None)


def only_test(config: Config) -> None:
    """Leave out of a config what a test does not need.

    Raises:
        UserError: If the config has no test set.
    """
    if not config.get("test_cfg") or not config.get("test_dataloader"):
        raise UserError(f"{config.filename} has no test set: test_cfg and test_dataloader")
    for key in (
        *("train_dataloader", "train_cfg", "optim_wrapper", "param_scheduler"),
        *("val_dataloader", "val_cfg", "val_evaluator", "auto_scale_lr"),
    ):
        config[key] = None


def use_tta(config: Config) -> None:
    """``--tta``: test-time augmentation by the config's ``tta_model`` and ``tta_pipeline``.

    Raises:
        UserError: If the config has no ``tta_model``.
    """
    if not config.get("tta_model"):
        raise UserError(
            f"--tta needs a tta_model in {config.filename}, for example "
            "dict(type='mmsuper.SelfEnsemble')"
        )
    config.model = {**config.tta_model, "module": config.model}
    if config.get("tta_pipeline"):
        loaders = config.test_dataloader
        for loader in loaders if isinstance(loaders, list) else [loaders]:
            dataset = loader.dataset
            while "dataset" in dataset:
                dataset = dataset.dataset
            dataset.pipeline = config.tta_pipeline


def dump_predictions(config: Config, path: str) -> None:
    """``--out FILE.pkl``: also write every prediction, as MMEngine's ``DumpResults`` does.

    Raises:
        UserError: If the file's name says something else, or its folder does not exist.
    """
    if Path(path).suffix not in (".pkl", ".pickle"):
        raise UserError(f"--out writes predictions to a .pkl or metrics to a .json, not {path}")
    several = isinstance(config.test_dataloader, list)
    metrics = config.test_evaluator
    dump = {"type": "DumpResults", "out_file_path": path}
    if several:
        raise UserError("--out with a .pkl takes a config with one test set")
    if isinstance(metrics, dict) and "metrics" in metrics:
        inner = metrics["metrics"]
        metrics["metrics"] = [*(inner if isinstance(inner, list) else [inner]), dump]
    else:
        config.test_evaluator = [*(metrics if isinstance(metrics, list) else [metrics]), dump]


# Who draws the predictions of each host library.
VISUALIZERS = {
    "mmdet": "DetLocalVisualizer",
    "mmpretrain": "UniversalVisualizer",
    "mmseg": "SegLocalVisualizer",
}


def show_predictions(config: Config, folder: str) -> None:
    """``--show-dir DIR``: write every prediction as a picture.

    A config that names MMEngine's own visualizer, which draws none, gets its library's.
    """
    visualizer = config.get("visualizer") or {"type": "Visualizer"}
    library = VISUALIZERS.get(config.get("default_scope", ""))
    if visualizer["type"] == "Visualizer" and library:
        config.visualizer = {**visualizer, "type": library}
    config.custom_hooks = [
        *(config.get("custom_hooks") or []),
        {"type": "mmsuper.SavePicturesHook", "folder": folder},
    ]
