"""MMEngine's two runners, with a plain work dir and resuming that is exact.

What a run leaves in its work dir is described in ``docs/verbs/train.md``. MMEngine would
make a folder named after the time of every start; ours is called ``log``, and a resumed run
appends to it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from mmengine import runner as mmengine_runner
from mmengine.dist import master_only
from mmengine.registry import STRATEGIES
from torch import nn

from mmsuper import checkpoint as checkpoint_files
from mmsuper.engine import seeding
from mmsuper.files import write_text
from mmsuper.registry import RUNNERS

LOG_FOLDER = "log"


def bare(model: nn.Module) -> nn.Module:
    """The model itself, without what wraps it: data-parallel, test-time augmentation."""
    inner = getattr(model, "module", None)
    return bare(inner) if isinstance(inner, nn.Module) else model


@contextmanager
def quiet(logger: logging.Logger) -> Iterator[None]:
    """Send what is logged to the log file only, not to the terminal."""
    terminals = [
        (handler, handler.level)
        for handler in logger.handlers
        if not isinstance(handler, logging.FileHandler)
    ]
    for handler, level in terminals:
        handler.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        for handler, level in terminals:
            handler.setLevel(level)


def compile_parts(model: nn.Module, options: bool | dict[str, Any] | None) -> None:
    """Compile each part of a model by itself, in place: its networks and losses.

    The model's own ``forward`` is left alone, because what goes in there besides tensors
    (data samples) is different at every iteration.

    Args:
        model: A model of MMEngine's kind.
        options: The config's ``compile``: whether to, or arguments of ``torch.compile``.
    """
    if not options:
        return
    for part in _own_parts(bare(model)):
        part.compile(**({} if options is True else options))


def _own_parts(model: nn.Module) -> Iterator[nn.Module]:
    """The outermost parts that are not PyTorch's own, whose ``compile`` does nothing."""
    for name, part in model.named_children():
        if type(part).__module__.startswith("torch.nn."):
            yield from _own_parts(part)
        elif name != "data_preprocessor":
            yield part


class _Common:
    """What both runners do differently from MMEngine's."""

    cfg: Any
    logger: Any
    work_dir: str
    _train_dataloader: Any
    _resume: Any
    _testing = False

    def test(self) -> dict:
        """Test; a checkpoint must then fit the model in every tensor."""
        self._testing = True
        return super().test()  # type: ignore[misc]

    def build_train_loop(self, loop: Any) -> Any:
        """Build the train loop, with a data loader that can start at any iteration."""
        if isinstance(loop, dict):
            self._train_dataloader = seeding.stream(self._train_dataloader, self.seed)  # type: ignore[attr-defined]
        return super().build_train_loop(loop)  # type: ignore[misc]

    @master_only
    def dump_config(self) -> None:
        """Write the expanded config."""
        write_text(Path(self.work_dir) / "config.py", self.cfg.pretty_text)

    def _log_env(self, *arguments: Any) -> None:
        with quiet(self.logger):
            super()._log_env(*arguments)  # type: ignore[misc]

    def get_hooks_info(self) -> str:
        """MMEngine logs the list of all hooks at every start; ours are in the documentation."""
        return "see docs/verbs/train.md"


@RUNNERS.register_module()
class Runner(_Common, mmengine_runner.Runner):
    """MMEngine's ``Runner``."""

    def setup_env(self, env_cfg: dict) -> None:
        """Set up processes; the "time stamp" that names log files becomes a plain word."""
        super().setup_env(env_cfg)
        self._timestamp = LOG_FOLDER

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        """Wrap the model for several processes, on processors as well as on GPUs."""
        if self.distributed and not torch.cuda.is_available():
            model_wrapper_cfg = {"broadcast_buffers": False, **(model_wrapper_cfg or {})}
            model_wrapper_cfg["device_ids"] = None
        return super().wrap_model(model_wrapper_cfg, model)

    def load_checkpoint(self, filename: str, *arguments: Any, **options: Any) -> dict:
        """Load weights of ours or of a paper's authors; see ``mmsuper.checkpoint``."""
        if self._resume:
            return super().load_checkpoint(filename, *arguments, **options)
        checkpoint = load_weights(bare(self.model), filename, strict=self._testing)
        self.call_hook("after_load_checkpoint", checkpoint=checkpoint)
        self._has_loaded = True
        self.logger.info(f"weights of {filename}")
        return checkpoint

    def _maybe_compile(self, target: str) -> None:
        compile_parts(self.model, self.cfg.get("compile"))


@RUNNERS.register_module()
class FlexibleRunner(_Common, mmengine_runner.FlexibleRunner):
    """MMEngine's ``FlexibleRunner``: strategies such as FSDP and DeepSpeed."""

    checkpoint_meta: dict[str, Any]
    _ran_before_run = False

    def build_strategy(self, strategy: Any = None, launcher: str = "none", **options: Any) -> Any:
        """Build the strategy, as a sub-class with the differences of ``_Strategy``."""
        if strategy is None:
            strategy = {"type": "SingleDeviceStrategy" if launcher == "none" else "DDPStrategy"}
        strategy = dict(strategy)
        base = strategy["type"]
        base = STRATEGIES.get(base) if isinstance(base, str) else base
        strategy["type"] = type(base.__name__, (_Strategy, base), {})
        return super().build_strategy(strategy, launcher=launcher, **options)

    def train(self) -> nn.Module:
        """Train; MMEngine's ``from_cfg`` forgets the config's ``compile``."""
        self._compile = self.cfg.get("compile") or False
        return super().train()

    def load_or_resume(self) -> None:
        """Load or resume, after ``before_run``: EMAHook makes its copy of the model there."""
        self.call_hook("before_run")
        super().load_or_resume()

    def call_hook(self, fn_name: str, **arguments: Any) -> None:
        """Call all hooks; ``before_run`` only once."""
        if fn_name == "before_run":
            if self._ran_before_run:
                return
            self._ran_before_run = True
        super().call_hook(fn_name, **arguments)

    def load_checkpoint(self, filename: str, *arguments: Any, **options: Any) -> None:
        """Load weights of ours or of a paper's authors; sharded models take only ours."""
        model = bare(self.model)
        if type(self.strategy).__name__ not in ("SingleDeviceStrategy", "DDPStrategy"):
            super().load_checkpoint(filename, *arguments, **options)
            return
        checkpoint = load_weights(model, filename, strict=self._testing)
        self.call_hook("after_load_checkpoint", checkpoint=checkpoint)

    def save_checkpoint(self, *arguments: Any, meta: dict | None = None, **options: Any) -> None:
        """Save; what is said of the iteration stays true when a validation comes first."""
        self.checkpoint_meta = dict(meta or {})
        super().save_checkpoint(*arguments, meta=meta, **options)


# What MMEngine's strategies wrap a model with, and what that needs where there is no GPU.
_ON_PROCESSORS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "DDPStrategy": (
        {"type": "MMDistributedDataParallel", "broadcast_buffers": False},
        {"device_ids": None},
    ),
    "FSDPStrategy": (
        {"type": "MMFullyShardedDataParallel"},
        {"device_id": torch.device("cpu")},
    ),
}


class _Strategy:
    model: Any
    model_wrapper: dict[str, Any] | None
    state_dict_config: Any
    optim_state_dict_config: Any
    optim_wrapper: Any

    def _setup_env(self, **options: Any) -> None:
        super()._setup_env(**options)  # type: ignore[misc]
        self._timestamp = LOG_FOLDER

    def _wrap_model(self, model: nn.Module) -> nn.Module:
        """Wrap the model for several processes, on processors as well as on GPUs."""
        name = type(self).__name__
        if not torch.cuda.is_available() and name in _ON_PROCESSORS:
            defaults, forced = _ON_PROCESSORS[name]
            self.model_wrapper = {**defaults, **(self.model_wrapper or {}), **forced}
            if name == "FSDPStrategy":
                # PyTorch 2.12 "offloads" what is on the processor already without a copy and
                # then frees it: the process dies when a checkpoint is written.
                self.state_dict_config.offload_to_cpu = False
                self.optim_state_dict_config.offload_to_cpu = False
        return super()._wrap_model(model)  # type: ignore[misc]

    def load_optim_state_dict(self, state_dict: dict) -> None:
        """Load the optimiser's state; PyTorch 2 wants it after model and optimiser for FSDP."""
        if type(self).__name__ == "FSDPStrategy":
            from torch.distributed.fsdp import FullyShardedDataParallel

            optimizer = self.optim_wrapper.optimizer
            state_dict = FullyShardedDataParallel.optim_state_dict_to_load(
                self.model, optimizer, state_dict
            )
            self.optim_wrapper.load_state_dict(state_dict)
            return
        super().load_optim_state_dict(state_dict)  # type: ignore[misc]

    def compile_model(self, model: nn.Module, compile: bool | dict = False) -> nn.Module:
        options = dict(compile) if isinstance(compile, dict) else compile
        if isinstance(options, dict):
            options.pop("target", None)
            options = options or True
        compile_parts(model, options)
        return model


def load_weights(model: nn.Module, path: str, strict: bool) -> dict:
    """Load a checkpoint into a model and return it in MMEngine's form.

    Args:
        model: The model of a config.
        path: See :func:`mmsuper.checkpoint.load_weights`; an address is read by MMEngine.
        strict: Whether every tensor must fit. Fine-tuning takes what does.

    Raises:
        UserError: If the file cannot be read, or nothing of it fits.
    """
    from mmengine.runner.checkpoint import _load_checkpoint, _load_checkpoint_to_model

    if "://" in path or not strict:
        content = _load_checkpoint(path, map_location="cpu")
        state = content.get("state_dict", content)
        if state.keys() & model.state_dict().keys():
            return _load_checkpoint_to_model(model, content)
    checkpoint_files.load_weights(model, path)
    return {"state_dict": model.state_dict()}
