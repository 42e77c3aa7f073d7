"""Find misspelt keys in configs.

What a dict of a config may hold is known in two cases: it names a class in ``type``, whose
constructor's parameters are the keys; or MMEngine's Runner gives it a fixed meaning, as it
does to the dict of a data loader. A constructor that passes ``**kwargs`` on to its base
takes the base's parameters too; one that does anything else with them takes any key.

Top-level keys are a special case: a config is a program and may hold helper variables, so
there a key counts as misspelt only if no file of the chain ever reads it and it looks like
one that means something.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import functools
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsuper import config_history
from mmsuper.compat import hosts
from mmsuper.errors import UserError

if TYPE_CHECKING:
    from mmengine.config import Config
    from mmengine.registry import Registry

# Which root registries can hold the classes named below a top-level key, so that a config
# that is only browsed does not import models.
REGISTRIES = {
    "model": ("model", "task util", "weight initializer"),
    "tta_model": ("model",),
    "tta_pipeline": ("transform",),
    "train_dataloader": ("dataset", "transform", "data sampler", "function"),
    "val_dataloader": ("dataset", "transform", "data sampler", "function"),
    "test_dataloader": ("dataset", "transform", "data sampler", "function"),
    "val_evaluator": ("metric", "evaluator"),
    "test_evaluator": ("metric", "evaluator"),
    "default_hooks": ("hook",),
    "custom_hooks": ("hook",),
    "visualizer": ("visualizer", "vis_backend"),
    "vis_backends": ("vis_backend",),
    "optim_wrapper": ("optim_wrapper", "optimizer", "optimizer wrapper constructor"),
    "param_scheduler": ("parameter scheduler",),
    "train_cfg": ("loop",),
    "val_cfg": ("loop",),
    "test_cfg": ("loop",),
    "log_processor": ("log_processor",),
}
# Keys that the code which builds a class takes out of the dict first.
TAKEN_BEFORE = {
    "hook": {"priority"},
    "loop": {"by_epoch"},
    "model": {"pretrained"},
    "parameter scheduler": {"convert_to_iter_based"},
    "optim_wrapper": {"constructor", "optimizer", "paramwise_cfg"},
}
# Top-level keys beside the Runner's parameters that something reads: the drivers of the
# toolboxes, MMEngine's registries and inferencers, and the flexible runner.
ALSO_READ = {
    "auto_scale_lr",
    "compile",
    "custom_imports",
    "data_preprocessor",
    "default_scope",
    "model_wrapper_cfg",
    "runner_type",
    "strategy",
    "test_pipeline",
    "train_pipeline",
    "tta_model",
    "tta_pipeline",
    "val_pipeline",
}
# Dicts that have a meaning without naming a class.
ENVIRONMENT = {"cudnn_benchmark", "dist_cfg", "mp_cfg", "resource_limit"}
RANDOMNESS = {"deterministic", "diff_rank_seed", "seed"}
SCALE_LR = {"base_batch_size", "enable"}
LOADER_ALSO = {"num_batch_per_epoch"}
MARKS = {"_delete_", "_scope_", "type"}
# Layers: the functions that build them take keys out of these dicts.
LAYER = re.compile(r"(act|conv|norm|padding|plugin|upsample)_cfg$|^plugins$")


@dataclass(frozen=True)
class Target:
    """What a dict of a config is for.

    Attributes:
        name: What the keys are given to, for a message.
        keys: The keys it takes, or None if it takes any.
    """

    name: str
    keys: frozenset[str] | None


def check(config: Config, path: str | Path) -> None:
    """Refuse a config with a misspelt key below the top level; imports what it names.

    Args:
        config: The config, with the shims of its libraries applied.
        path: Its file, to say where the key was set.

    Raises:
        UserError: At the first misspelt key.
    """
    content = config.to_dict()
    for keys, node, scope in _dicts(content):
        target = find_target(keys, node, scope)
        if target is not None and target.keys is not None:
            for key in set(node) - target.keys - MARKS:
                if not _read_by_owner(content, keys, key):
                    raise _misspelt([*keys, key], target, path)


def check_top(content: dict[str, Any], path: str | Path) -> None:
    """Refuse a top-level key that nothing reads and that looks like one that is read."""
    known = _top_keys()
    strange = set(content) - known
    if not strange:
        return
    files = config_history.chain(path)
    read = set().union(*(_names_read(file) for file in files))
    for key in sorted(strange - read):
        near = difflib.get_close_matches(key, sorted(known | (read & set(content))), 1, 0.8)
        settings = config_history.history(path, key) if near else []
        # A host library's own slips are not the user's to mend.
        if settings and ".mim" not in settings[-1].file.parts:
            raise UserError(
                f"{settings[-1].place()}: nothing reads the key {key!r}; did you mean {near[0]!r}?"
            )


def check_options(config: Config, options: dict[str, Any]) -> None:
    """Refuse ``--cfg-options`` that name a key which neither exists nor may be new.

    Args:
        config: The config before the options are merged.
        options: Dotted keys and their values.

    Raises:
        UserError: At the first key that is misspelt.
    """
    content = config.to_dict()
    for dotted in options:
        keys = dotted.split(".")
        depth = next(
            d
            for d in range(len(keys), -1, -1)
            if config_history.value_at(content, keys[:d]) is not config_history.MISSING
        )
        if depth < len(keys):
            hosts.prepare(config)
            _check_new(content, keys, depth)


def find_target(keys: list[str], node: dict[str, Any], scope: str | None) -> Target | None:
    """What the dict at a place in a config is for, or None if that is not known.

    Args:
        keys: The place, as the keys that lead there.
        node: The dict.
        scope: The registry scope in force there.
    """
    if not keys:
        return Target("a config", frozenset(_top_keys()))
    if any(LAYER.search(key) for key in keys):
        return None
    if "type" in node:
        return _class_target(keys[0], node["type"], scope)
    return _plain_target(keys)


def parameters(built: Callable[..., Any]) -> frozenset[str] | None:
    """The keyword arguments that a class or function takes, or None if it takes any.

    Constructors are followed along the method resolution order for as long as they do
    nothing with their ``**kwargs`` but hand them to ``super().__init__``.
    """
    if not inspect.isclass(built):
        names, variadic = _signature(built)
        return None if variadic else frozenset(names)
    taken: set[str] = set()
    for base in built.__mro__[:-1]:
        constructor = base.__dict__.get("__init__")
        if constructor is None:
            continue
        names, variadic = _signature(constructor)
        taken |= names
        if variadic is None:
            return frozenset(taken)
        if not _only_to_super(base, constructor, variadic):
            return None
    return None


def _read_by_owner(content: dict[str, Any], keys: list[str], key: str) -> bool:
    """Whether a class around the dict names a key that the dict's own class does not take.

    Some classes take keys out of the dicts that they are given, and build with the rest.
    """
    for depth in range(1, len(keys)):
        owner = config_history.value_at(content, keys[:depth])
        if isinstance(owner, dict) and isinstance(owner.get("type"), str):
            scope = _scope_at(content, keys[:depth])
            for _, built in _classes(owner["type"], scope, REGISTRIES.get(keys[0], ())):
                if _names_key(built, key):
                    return True
    return False


@functools.cache
def _names_key(built: Callable[..., Any], key: str) -> bool:
    for base in inspect.getmro(built)[:-1] if inspect.isclass(built) else (built,):
        with contextlib.suppress(OSError, TypeError):  # no source to read
            if re.search(rf"""["']{re.escape(key)}["']""", inspect.getsource(base)):
                return True
    return False


def _misspelt(keys: list[str], target: Target, path: str | Path) -> UserError:
    settings = config_history.history(path, ".".join(keys))
    where = settings[-1].place() if settings else str(path)
    return UserError(f"{where}: {'.'.join(keys)}: {_complaint(keys[-1], target)}")


def _complaint(key: str, target: Target) -> str:
    taken = sorted((target.keys or frozenset()) - MARKS)
    near = difflib.get_close_matches(key, taken, 1, 0)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"{target.name} takes no key {key!r}{hint}"


def _check_new(content: dict[str, Any], keys: list[str], depth: int) -> None:
    """Check an option whose first ``depth`` keys exist and whose next one does not."""
    node = config_history.value_at(content, keys[:depth])
    asked = ".".join(keys)
    if not isinstance(node, dict):
        size = f"a list of {len(node)}" if isinstance(node, list | tuple) else "no dict"
        raise UserError(f"--cfg-options {asked}: {'.'.join(keys[:depth])} is {size} here")
    target = find_target(keys[:depth], node, _scope_at(content, keys[:depth]))
    if target is None:
        target = Target(f"the dict {'.'.join(keys[:depth])}", frozenset(node))
    if target.keys is not None and keys[depth] not in target.keys:
        both = Target(target.name, target.keys | (frozenset(node) if depth == 0 else frozenset()))
        raise UserError(f"--cfg-options {asked}: {_complaint(keys[depth], both)}")


def _scope_at(content: dict[str, Any], keys: list[str]) -> str | None:
    scope, node = content.get("default_scope"), content
    for key in keys:
        node = config_history.value_at(node, [key])
        if isinstance(node, dict):
            scope = node.get("_scope_", scope)
    return scope


def _dicts(content: dict[str, Any]) -> Iterator[tuple[list[str], dict[str, Any], str | None]]:
    """``(place, dict, scope)`` of every dict below a top-level key that the Runner reads."""

    def walk(
        keys: list[str], node: Any, scope: str | None
    ) -> Iterator[tuple[list[str], dict[str, Any], str | None]]:
        if isinstance(node, dict):
            scope = node.get("_scope_", scope)
            yield keys, node, scope
            for key, value in node.items():
                yield from walk([*keys, str(key)], value, scope)
        elif isinstance(node, list | tuple):
            for i, value in enumerate(node):
                yield from walk([*keys, str(i)], value, scope)

    for key in (_top_keys() & set(content)) - {"train_pipeline", "val_pipeline", "test_pipeline"}:
        yield from walk([key], content[key], content.get("default_scope"))


def _class_target(top: str, name: Any, scope: str | None) -> Target | None:
    if not isinstance(name, str):
        keys = parameters(name)
        return Target(getattr(name, "__name__", str(name)), keys)
    taken: set[str] = set()
    found = _classes(name, scope, REGISTRIES.get(top, ()))
    for registry, built in found:
        keys = parameters(built)
        if keys is None:
            return Target(name, None)
        taken |= keys | TAKEN_BEFORE.get(registry, set())
    return Target(name, frozenset(taken)) if found else None


def _plain_target(keys: list[str]) -> Target | None:
    from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, TestLoop, ValLoop
    from torch.utils.data import DataLoader

    place = keys[0]
    if len(keys) == 1 and place.endswith("_dataloader"):
        loader = parameters(DataLoader) or frozenset()
        return Target("a data loader", loader | LOADER_ALSO)
    loops: dict[str, tuple[type, ...]] = {
        "train_cfg": (EpochBasedTrainLoop, IterBasedTrainLoop),
        "val_cfg": (ValLoop,),
        "test_cfg": (TestLoop,),
    }
    if len(keys) == 1 and place in loops:
        taken = frozenset().union(*(parameters(loop) or frozenset() for loop in loops[place]))
        return Target(f"a loop of {place}", taken | TAKEN_BEFORE["loop"])
    fixed = {"env_cfg": ENVIRONMENT, "randomness": RANDOMNESS, "auto_scale_lr": SCALE_LR}
    if len(keys) == 1 and place in fixed:
        return Target(place, frozenset(fixed[place]))
    return None


@functools.cache
def _top_keys() -> frozenset[str]:
    """The Runner's parameters, read from its source: importing it takes seconds."""
    import mmengine

    source = Path(mmengine.__file__).parent / "runner" / "runner.py"
    tree = ast.parse(source.read_text(encoding="utf-8"))
    runner = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Runner")
    constructor = next(
        n for n in runner.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"
    )
    return frozenset(argument.arg for argument in constructor.args.args[1:]) | ALSO_READ


@functools.cache
def _classes(
    name: str, scope: str | None, kinds: tuple[str, ...]
) -> tuple[tuple[str, Callable[..., Any]], ...]:
    """``(kind, class)`` of everything that a name can mean in a scope."""
    prefix, dot, _ = name.rpartition(".")
    if dot and prefix.partition(".")[0] == prefix:
        scope, name = prefix, name.rpartition(".")[2]
    found = []
    for kind, root in _root_registries().items():
        if kind in kinds:
            try:
                built = _child(root, scope).get(name)
            except RuntimeError:  # one of two ways in which a registry says that it has none
                continue
            if built is not None:
                found.append((kind, built))
    return tuple(found)


def _child(root: Registry, scope: str | None) -> Registry:
    """The registry of a scope below a root one, or the root where the scope has none."""
    import importlib

    if scope is None or scope == root.scope:
        return root
    try:
        importlib.import_module(f"{scope}.registry")
    except ModuleNotFoundError as error:
        raise UserError(f"the config names the library {scope!r}: {error}") from error
    found = root._search_child(scope)
    return root if found is None else found


@functools.cache
def _root_registries() -> dict[str, Registry]:
    from mmengine.registry import Registry, root

    return {r.name: r for r in vars(root).values() if isinstance(r, Registry)}


def _signature(function: Callable[..., Any]) -> tuple[set[str], str | None]:
    """Names of the parameters that can be given by keyword, and that of ``**kwargs``."""
    try:
        found = inspect.signature(function).parameters.values()
    except ValueError:  # some builtins have none
        return set(), "kwargs"
    names = {p.name for p in found if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    return names - {"self"}, next((p.name for p in found if p.kind == p.VAR_KEYWORD), None)


def _only_to_super(owner: type, constructor: Callable[..., Any], kwargs: str) -> bool:
    """Whether a constructor does nothing with its ``**kwargs`` but give them to its base."""
    try:
        source = textwrap.dedent(inspect.getsource(constructor))
    except (OSError, TypeError):
        return False
    tree = ast.parse(source)
    uses = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == kwargs]
    handed = [
        keyword.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and ast.unparse(call.func)
        in ("super().__init__", f"super({owner.__name__}, self).__init__")
        for keyword in call.keywords
        if keyword.arg is None and isinstance(keyword.value, ast.Name)
    ]
    return bool(uses) and all(any(use is given for given in handed) for use in uses)


@functools.cache
def _names_read(path: Path) -> frozenset[str]:
    """The variables that a config file reads, its own or its bases'."""
    text = path.read_text(encoding="utf-8")
    found = set(re.findall(r"\{\{\s*_base_\.(\w+)", text))
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                found.add(node.id)
            elif isinstance(node, ast.Attribute):
                found.add(node.attr)
    return frozenset(found)
