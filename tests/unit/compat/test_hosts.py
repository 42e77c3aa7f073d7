"""Which shims a config gets, in processes of their own: they must come before an import."""

import subprocess
import sys

import pytest

from mmsuper.compat import hosts

PREPARED = """
import sys
from mmengine.config import Config
from mmsuper.compat import hosts
hosts.prepare(Config({config}))
{then}
"""


def run(config, then):
    code = PREPARED.format(config=config, then=then)
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True
    )


def test_types_are_found_with_their_library():
    content = {
        "type": "A",
        "b": [{"type": "mmdet.B"}, {"_scope_": "mmseg", "c": {"type": "C"}}],
        "d": {"type": int},
    }
    assert list(hosts.named_types(content, "mmagic")) == [
        ("mmagic", "A"),
        ("mmdet", "B"),
        ("mmseg", "C"),
    ]


def test_the_library_of_a_data_set_is_found_without_importing_it():
    assert hosts.library_of(["CocoDataset", "PackDetInputs"]) == "mmdet"
    assert hosts.library_of(["BaseSegDataset", "PackSegInputs"]) == "mmseg"
    assert hosts.library_of(["BasicFramesDataset"]) == "mmagic"
    assert hosts.library_of(["NoSuchDataset"]) is None


@pytest.mark.slow
def test_mmpretrain_models_import_beside_transformers():
    done = run({"default_scope": "mmpretrain"}, "import mmpretrain.models; print('imported')")
    assert "imported" in done.stdout, done.stderr


@pytest.mark.slow
def test_mmagic_editors_load_when_named_and_only_then():
    config = {"default_scope": "mmagic", "model": {"type": "EDSRNet"}}
    then = (
        "import mmagic.evaluation\n"
        "print('mmagic.models.editors.edsr' in sys.modules)\n"
        "slow = ('mmagic.models.editors.animatediff', 'diffusers', 'mmdet')\n"
        "print([name for name in slow if name in sys.modules])"
    )
    done = run(config, then)
    assert done.stdout.split() == ["True", "[]"], done.stderr
    assert done.stderr == ""


def test_a_config_of_ours_alone_imports_no_library():
    config = {"default_scope": "mmsuper", "model": {"type": "mmsuper.DLGSANet"}}
    then = "print([m for m in ('mmagic', 'mmdet', 'mmseg', 'mmpretrain') if m in sys.modules])"
    done = run(config, then)
    assert done.stdout.strip() == "[]", done.stderr
