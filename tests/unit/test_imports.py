"""What must stay cheap to import: the package, every ``--help``, the registries."""

import subprocess
import sys

import pytest

from mmsuper.cli import VERBS

HEAVY = {"torch", "mmengine", "numpy", "cv2", "rich", "PIL"}
OPTIONAL = {"diffusers", "docker", "mmdet", "mmseg", "mmpretrain"}
OPTIONAL |= {"transformers", "datasets", "accelerate", "peft", "lm_eval", "bitsandbytes"}


def modules_after(code):
    """Names of the top-level modules that a fresh interpreter has loaded after ``code``."""
    report = """
import sys
print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code + report],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(result.stderr.splitlines()[-1].split())


def help_of(words):
    return f"""
from mmsuper.cli import main
try:
    main({words!r})
except SystemExit as end:
    assert end.code == 0, end.code
"""


def test_the_package_imports_nothing_heavy():
    assert not modules_after("import mmsuper") & HEAVY


@pytest.mark.parametrize("words", [["--help"], *([verb, "--help"] for verb in VERBS)], ids=" ".join)
def test_help_imports_nothing_heavy(words):
    assert not modules_after(help_of(words)) & HEAVY


def test_registries_import_no_optional_library():
    """MMEngine would bring in transformers itself; the commands call `light_optim` first."""
    code = """
from mmsuper.compat.mmengine import light_optim
light_optim()
import mmengine, mmsuper.registry
found = [value for value in vars(mmsuper.registry).values()
         if isinstance(value, mmengine.Registry) and value.scope == "mmsuper"]
for registry in found:
    registry.import_from_location()
assert sum(map(len, found)) > 10
"""
    assert not modules_after(code) & OPTIONAL
