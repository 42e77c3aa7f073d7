"""Which file of a config's inheritance chain set a key, and on which line."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmsuper.compat import hosts

MISSING = object()


@dataclass(frozen=True)
class Setting:
    """One file's say about one key.

    Attributes:
        file: The config file.
        line: The line that sets the key, or None if no single line does.
        value: The key's value after this file, or ``MISSING`` if the file removed it.
    """

    file: Path
    line: int | None
    value: Any

    def place(self) -> str:
        """``file:line``, relative to the current folder where that is shorter."""
        here = Path.cwd()
        file = self.file.relative_to(here) if self.file.is_relative_to(here) else self.file
        return f"{file}:{self.line}" if self.line else str(file)


def chain(path: str | Path) -> list[Path]:
    """The config files that make up a config: bases first, the file itself last."""
    files = [file for base in bases(path) for file in chain(base)]
    return [*dict.fromkeys(files), Path(path).resolve()]


def bases(path: str | Path) -> list[Path]:
    """The files that a config names in ``_base_``."""
    from mmengine.config import Config

    hosts.resolve_config_names()
    path = str(Path(path).resolve())
    return [
        Path(Config._get_cfg_path(name, path)[0]).resolve() for name in Config._get_base_files(path)
    ]


def history(path: str | Path, key: str) -> list[Setting]:
    """Every file that set or changed a key, in the order of inheritance.

    Args:
        path: A config file.
        key: Dotted key; a number indexes a list.

    Returns:
        Settings, the one in effect last; empty if no file sets the key.
    """
    keys = key.split(".")
    return list(_history(Path(path).resolve(), keys))


def value_at(node: Any, keys: list[str]) -> Any:
    """The value below a nest of dicts and lists, or ``MISSING``."""
    for key in keys:
        if isinstance(node, dict) and key in node:
            node = node[key]
        elif isinstance(node, list | tuple) and key.isdigit() and int(key) < len(node):
            node = node[int(key)]
        else:
            return MISSING
    return node


def _history(path: Path, keys: list[str]) -> Iterator[Setting]:
    before: Any = MISSING
    for base in bases(path):
        for setting in _history(base, keys):
            yield setting
            before = setting.value
    after = value_at(_resolve(path), keys)
    line, exact = _find(path, keys)
    if after is MISSING:
        if before is not MISSING:
            yield Setting(path, line, MISSING)
    elif before is MISSING or exact or _plain(before) != _plain(after):
        yield Setting(path, line, after)


def _resolve(path: Path) -> Any:
    from mmengine.config import Config

    return Config.fromfile(path, import_custom_modules=False).to_dict()


def _plain(value: Any) -> Any:
    """A value without the marks that inheritance leaves in it."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if k != "_scope_"}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def _find(path: Path, keys: list[str]) -> tuple[int | None, bool]:
    """The line that sets a key in one file, and whether the file writes it out in full."""
    if path.suffix != ".py":
        return None, False
    best: tuple[int, int | None, bool] = (0, None, False)
    names: dict[str, ast.expr] = {}
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        for target, value in _assignments(statement):
            if target == keys[: len(target)]:
                depth, line = _descend(value, keys[len(target) :], names, statement.lineno)
                depth += len(target)
                if depth >= best[0]:
                    best = depth, line, depth == len(keys)
            if len(target) == 1:
                names[target[0]] = value
    return best[1], best[2]


def _assignments(statement: ast.stmt) -> Iterator[tuple[list[str], ast.expr]]:
    """``(dotted target, value)`` of ``a = x``, ``a['b'] = x``, ``a.b = x``, ``a.update(b=x)``."""
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            path = _target(target)
            if path:
                yield path, statement.value
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        call = statement.value
        if isinstance(call.func, ast.Attribute) and call.func.attr == "update":
            path = _target(call.func.value)
            for keyword in call.keywords:
                if path and keyword.arg:
                    yield [*path, keyword.arg], keyword.value
            for argument in call.args:
                for key, value in _items(argument):
                    if path:
                        yield [*path, key], value


def _target(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        return [*parent, node.attr] if (parent := _target(node.value)) else []
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        return [*parent, str(node.slice.value)] if (parent := _target(node.value)) else []
    return []


def _descend(
    node: ast.expr, keys: list[str], names: dict[str, ast.expr], line: int
) -> tuple[int, int]:
    """How many keys can be followed into an expression, and the line of the last of them."""
    if isinstance(node, ast.Name) and node.id in names:
        node = names[node.id]
        line = node.lineno
    if keys:
        for key, value in _items(node):
            if key == keys[0]:
                depth, line = _descend(value, keys[1:], names, value.lineno)
                return depth + 1, line
    return 0, line


def _items(node: ast.expr) -> list[tuple[str, ast.expr]]:
    """The entries of ``dict(a=x)``, ``{'a': x}`` or ``[x]`` as written in a config."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict":
        return [(k.arg, k.value) for k in node.keywords if k.arg]
    if isinstance(node, ast.Dict):
        return [
            (str(k.value), v)
            for k, v in zip(node.keys, node.values, strict=True)
            if isinstance(k, ast.Constant)
        ]
    if isinstance(node, ast.List | ast.Tuple):
        return [(str(i), v) for i, v in enumerate(node.elts)]
    return []
