"""Reading and writing checkpoints: safely, and the authors' files as readily as ours."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import pickle
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from mmsuper.errors import UserError
from mmsuper.files import replacing

# What training frameworks wrap a state dict in, best first: averaged weights before raw.
WRAPPERS = ("params_ema", "params", "state_dict", "model")


def read(path: str | Path, allow_pickle: bool = False) -> dict[str, Any]:
    """Read a checkpoint without running any code that it may hold.

    Args:
        path: A ``.safetensors`` file or a file of :func:`torch.save`.
        allow_pickle: Also accept a file with objects other than tensors and plain data.
            Reading such a file can run anything its maker put in.

    Returns:
        Its content on the CPU.

    Raises:
        UserError: If the file is missing, unreadable or holds what was not allowed.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"no checkpoint at {path}")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    try:
        # Many training scripts keep their command line beside the weights: plain data.
        with torch.serialization.safe_globals([argparse.Namespace]):
            content = torch.load(path, map_location="cpu", weights_only=not allow_pickle)
    except pickle.UnpicklingError as error:
        if "Unsupported" in str(error) or "GLOBAL" in str(error):
            raise UserError(
                f"{path} holds more than tensors and plain data and was not read, because that "
                "can run code; pass --allow-pickle if you trust its origin"
            ) from error
        raise UserError(f"{path} is not a readable checkpoint; is it cut short?") from error
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise UserError(f"{path} is not a readable checkpoint; is it cut short?") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__}, not a checkpoint")
    return content


def tensors(content: Mapping[str, Any], wrapper: str | None = None) -> dict[str, Tensor]:
    """The state dict inside a checkpoint, whatever wraps it, without a ``module.`` prefix.

    Args:
        content: What :func:`read` returns.
        wrapper: Which of several state dicts to take (``params`` for the authors' raw
            weights); by default the first of :data:`WRAPPERS` that is there.

    Raises:
        UserError: If there is none.
    """
    if wrapper is not None and wrapper not in content:
        raise UserError(f"the checkpoint has no {wrapper!r}, only {', '.join(map(repr, content))}")
    name = wrapper or next((name for name in WRAPPERS if name in content), None)
    found = content if name is None else content[name]
    state = {key: value for key, value in found.items() if isinstance(value, Tensor)}
    if not state:
        raise UserError("the checkpoint holds no tensors")
    return {key.removeprefix("module."): value for key, value in state.items()}


def load_weights(
    model: nn.Module,
    path: str | Path,
    allow_pickle: bool = False,
    wrapper: str | None = None,
    optional: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Load a checkpoint of ours or of a paper's authors into a model, strictly.

    The file may hold the weights of the whole model, as training writes them, or of a
    project's network alone, as we publish and as authors do; of a whole model's, a network
    takes its part.

    Args:
        model: A network of a project, or any model that contains one.
        path: See :func:`read`.
        allow_pickle: See :func:`read`.
        wrapper: See :func:`tensors`.
        optional: Beginnings of names of parameters that the file need not hold.

    Returns:
        All that the file holds, as :func:`read` gives it.

    Raises:
        UserError: If the file cannot be read or its tensors do not fit.
    """
    content = read(path, allow_pickle)
    _load_state(model, tensors(content, wrapper), path, optional)
    return content


def _load_state(
    model: nn.Module, state: Mapping[str, Tensor], path: str | Path, optional: tuple[str, ...]
) -> None:
    networks = list(project_networks(model))
    for _, convert in networks:
        if convert.is_official(state):
            try:
                convert.load_official(model, state)
            except UserError as error:
                raise UserError(f"{path}: {error}") from error
            return
    own = model.state_dict()
    if own.keys() & state.keys():
        _load(model, state, path, optional)
        return
    for network, _ in networks:
        part = _part(state, network.state_dict())
        if part:
            _load(network, part, path, optional)
            return
    raise UserError(
        f"{path} fits no part of {type(model).__name__}: it has {next(iter(state))!r} and the "
        f"like, the model {next(iter(own))!r}"
    )


def load_renamed(
    model: nn.Module,
    theirs: Mapping[str, Tensor],
    names: Mapping[str, str],
    what: str,
    optional: Collection[str] = (),
) -> None:
    """Load tensors that have other names elsewhere, strictly.

    Args:
        model: A network, or a model of which ``names`` lists a part.
        theirs: The tensors under their names there.
        names: ``{our key: their key}``.
        what: What the network is called, for errors.
        optional: Those of their keys that need not be there.

    Raises:
        UserError: If a tensor is missing, unknown or of another shape; nothing is loaded.
    """
    unknown = sorted(theirs.keys() - names.values())
    missing = sorted(set(names.values()) - theirs.keys() - set(optional))
    if unknown or missing:
        raise UserError(
            f"the checkpoint is of another {what}: {len(missing)} tensors are missing "
            f"{missing[:1]} and {len(unknown)} unknown {unknown[:1]}"
        )
    own = model.state_dict()
    found = {ours: theirs[key] for ours, key in names.items() if key in theirs}
    for ours, value in found.items():
        if own[ours].shape != value.shape:
            raise UserError(
                f"the checkpoint is of another {what}: {names[ours]} is {tuple(value.shape)}, "
                f"the config's is {tuple(own[ours].shape)}"
            )
    model.load_state_dict(found, strict=False)


def load_pretrained(
    network: nn.Module, init_cfg: Mapping[str, Any], optional: tuple[str, ...] = ()
) -> None:
    """Do what MMEngine's ``init_cfg`` of a network says: load a checkpoint.

    Args:
        network: See :func:`load_weights`.
        init_cfg: ``dict(type='Pretrained', checkpoint=PATH)``.
        optional: See :func:`load_weights`.

    Raises:
        UserError: If it says anything else, or the checkpoint does not fit.
    """
    if init_cfg.get("type") != "Pretrained" or init_cfg.keys() != {"type", "checkpoint"}:
        raise UserError(
            f"init_cfg of {type(network).__name__} must be dict(type='Pretrained', "
            f"checkpoint=PATH), not {dict(init_cfg)}"
        )
    if not Path(init_cfg["checkpoint"]).is_file():
        raise UserError(
            f"no weights at {init_cfg['checkpoint']} for {type(network).__name__} to start from; "
            "docs/data.md says where pre-trained backbones go"
        )
    load_weights(network, init_cfg["checkpoint"], optional=optional)


def project_networks(model: nn.Module) -> Iterator[tuple[nn.Module, ModuleType]]:
    """The networks of projects inside a model, each with its project's ``convert``.

    A network is what a project registers; its blocks, of the same module, are none.
    """
    from mmsuper.registry import MODELS

    registered = set(MODELS.module_dict.values())
    for module in model.modules():
        package, _, _ = type(module).__module__.rpartition(".")
        if type(module) in registered and importlib.util.find_spec(f"{package}.convert"):
            yield module, importlib.import_module(f"{package}.convert")


def save(
    path: str | Path,
    state_dict: Mapping[str, Tensor],
    metadata: Mapping[str, str] | None = None,
    wrapper: str = "params",
) -> None:
    """Write tensors for exchange, whole or not at all.

    Args:
        path: Where to; its folder is made. A ``.safetensors`` file, or a ``.pth`` that holds
            ``{wrapper: tensors}`` as authors' files do.
        state_dict: Tensors by name.
        metadata: Texts to keep beside them, for example where the weights come from.
        wrapper: What a ``.pth`` calls the tensors.
    """
    path = Path(path)
    content = {key: value.detach().cpu().contiguous() for key, value in state_dict.items()}
    with replacing(path) as draft:
        if path.suffix == ".safetensors":
            from safetensors.torch import save as to_bytes

            draft.write_bytes(to_bytes(content, dict(metadata or {})))
        else:
            torch.save({wrapper: content, **(metadata or {})}, draft)


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise UserError(f"{path} is not a readable checkpoint; is it cut short?") from error


def _part(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The entries of a whole model that are one network's, under the network's own names.

    Where the file holds the network alone, these are all.
    """
    name = next(iter(own))
    prefix = next((k[: -len(name)] for k in state if k == name or k.endswith(f".{name}")), None)
    if prefix is None:
        return {}
    return {key.removeprefix(prefix): v for key, v in state.items() if key.startswith(prefix)}


def _load(
    module: nn.Module, state: Mapping[str, Tensor], path: str | Path, optional: tuple[str, ...]
) -> None:
    """Load strictly, but for buffers that a model's glue adds and computes by itself."""
    own = module.state_dict()
    parameters = {name for name, _ in module.named_parameters() if not name.startswith(optional)}
    missing = sorted(parameters - state.keys())
    unknown = sorted(state.keys() - own.keys())
    if missing or unknown:
        raise UserError(
            f"{path} is of another model: {len(missing)} parameters are missing {missing[:1]} "
            f"and {len(unknown)} tensors unknown {unknown[:1]}"
        )
    for key, value in state.items():
        if value.shape != own[key].shape:
            raise UserError(
                f"{path} is of another model: {key} is {tuple(value.shape)}, "
                f"the config's is {tuple(own[key].shape)}"
            )
    module.load_state_dict(dict(state), strict=False)
