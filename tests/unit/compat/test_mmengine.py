"""Each in a process of its own: what is imported cannot be taken back."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mmsuper.compat.mmengine import refuse_pickles
from mmsuper.errors import UserError

LIGHT = """
import sys
from mmsuper.compat.mmengine import light_optim
light_optim()
import mmengine.runner
assert "transformers" not in sys.modules
from mmengine.registry import OPTIMIZERS
assert OPTIMIZERS.get("AdamW") is not None
import importlib.util
assert importlib.util.find_spec("transformers") is not None
light_optim()
from mmsuper.compat.mmengine import full_optim
full_optim({"optimizer": {"type": "AdamW"}})
assert "transformers" not in sys.modules
full_optim({"generator": {"optimizer": {"type": "Adafactor"}}})
assert OPTIMIZERS.get("Adafactor").__module__.startswith("transformers.")
"""


def test_light_optim_imports_no_transformers():
    subprocess.run([sys.executable, "-c", LIGHT], check=True, timeout=120)


class Bomb:
    def __reduce__(self):
        return Path.touch, (Path("exploded"),)


def test_mmengine_reads_no_pickles(tmp_path, monkeypatch):
    from mmengine.runner import checkpoint

    monkeypatch.chdir(tmp_path)
    refuse_pickles()
    torch.save({"state_dict": Bomb()}, "bomb.pth")
    with pytest.raises(UserError, match="can run code"):
        checkpoint.load_checkpoint(torch.nn.Linear(1, 1), "bomb.pth")
    assert not Path("exploded").exists()
    torch.save(torch.nn.Linear(1, 1).state_dict(), "good.pth")
    checkpoint.load_checkpoint(torch.nn.Linear(1, 1), "good.pth", strict=True)


def test_mmengine_downloads_no_pickles(tmp_path, monkeypatch):
    from mmengine.runner import checkpoint

    asked = {}
    monkeypatch.setattr(
        "torch.hub.load_state_dict_from_url", lambda url, **options: asked.update(options) or {}
    )
    refuse_pickles()
    checkpoint.load_from_http("https://example.invalid/a.pth")
    assert asked["weights_only"] is True
