import ast
from pathlib import Path

import pytest

import mmsuper

ROOT = Path(mmsuper.__file__).parent
FILES = [
    *sorted((ROOT / "engine").glob("*.py")),
    ROOT / "cli" / "train.py",
    ROOT / "cli" / "test.py",
]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_driver_imports_no_host_library(path):
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    hosts = {"mmdet", "mmseg", "mmagic", "mmpretrain", "mmsuper.projects"}
    assert not [name for name in names if any(f"{name}.".startswith(f"{h}.") for h in hosts)]
