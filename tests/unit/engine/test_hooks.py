import io
import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
import rich.console
import tiny_training
import torch
from mmengine.config import Config
from mmengine.structures import BaseDataElement

from mmsuper.engine import hooks


def test_every_config_gets_the_hooks_once():
    config = Config({"custom_hooks": [{"type": "mmsuper.MetricsHook"}]})
    hooks.add(config)
    hooks.add(config)
    names = [hook["type"] for hook in config.custom_hooks]
    assert len(names) == len(set(names)) == 5
    assert config.default_hooks.checkpoint.type == "mmsuper.CheckpointHook"
    config.val_loss = True
    hooks.add(config)
    assert config.custom_hooks[-1]["type"] == "mmsuper.ValidationLossHook"


def test_a_checkpoint_hook_that_is_switched_off_stays_off():
    config = Config({"default_hooks": {"checkpoint": None}})
    hooks.add(config)
    assert config.default_hooks.checkpoint is None


def test_plain_metrics():
    found = hooks.plain_metrics(
        {
            "a": torch.tensor(1.5),
            "b": float("nan"),
            "c": 3,
            "d": [{"name": "x", "v": 0.5}],
            "e": {1},
        }
    )
    assert found == {"a": 1.5, "b": None, "c": 3, "d": [{"name": "x", "v": 0.5}], "e": "{1}"}


class Augments(torch.nn.Module):
    batch_augments = "mixup"
    seen: list = []  # noqa: RUF012

    def forward(self, batch, training):
        self.seen.append((self.batch_augments, training))
        return batch


def batches():
    for size in (1, 3):
        samples = [BaseDataElement(y=torch.tensor([float(size)]), number=0)] * size
        yield {"inputs": [torch.zeros(4)] * size, "data_samples": samples}


def test_validation_loss_weighs_batches_by_size():
    model = tiny_training.TinyModel(dropout=0.9)
    torch.nn.init.zeros_(model.net[-1].weight)
    torch.nn.init.zeros_(model.net[-1].bias)
    model.data_preprocessor = preprocessor = Augments()
    runner = SimpleNamespace(model=model.eval())
    hook = hooks.ValidationLossHook()
    for _ in range(2):
        hook.before_val_epoch(runner)
        for number, batch in enumerate(batches()):
            hook.before_val_iter(runner, number, batch)
        hook.after_val_epoch(runner, metrics := {"PSNR": 1.0})
        # Predictions are 0: (1 * 1 + 3 * 9) / 4
        assert metrics == {"PSNR": 1.0, "val/loss": 7.0}
    assert set(preprocessor.seen) == {(None, True)}
    assert preprocessor.batch_augments == "mixup"


@pytest.mark.parametrize("terminal", [True, False])
def test_progress(monkeypatch, terminal):
    written = io.StringIO()
    real = rich.console.Console
    monkeypatch.setattr(
        rich.console, "Console", lambda: real(file=written, force_terminal=terminal, width=120)
    )
    logger = logging.Logger("progress")
    handler = logging.StreamHandler(io.StringIO())
    logger.addHandler(handler)
    loop = SimpleNamespace(dataloader=range(2))
    runner = SimpleNamespace(logger=logger, max_iters=4, iter=0, val_loop=loop)
    hook = hooks.ProgressHook()
    hook.before_train(runner)
    assert handler.level == (logging.WARNING if terminal else logging.NOTSET)
    for _ in range(4):
        hook.after_train_iter(runner, 0, outputs={"loss": torch.tensor(0.25)})
    hook.before_val_epoch(runner)
    hook.after_val_iter(runner, 0)
    hook.after_val_epoch(runner, {"PSNR": 30.0})
    hook.after_train(runner)
    assert handler.level == logging.NOTSET
    text = written.getvalue()
    assert ("4/4" in text and "loss 0.2500" in text and "PSNR 30.0000" in text) == terminal
    assert bool(text) == terminal


def test_metrics_after_a_resume_hold_no_later_validation(tmp_path):
    hooks.write_json(
        tmp_path / "metrics.json", {"history": [{"iter": 4, "a": 1}, {"iter": 8, "a": 2}]}
    )
    hook = hooks.MetricsHook()
    hook.before_train(SimpleNamespace(work_dir=str(tmp_path), iter=6))
    assert hook.record == {"history": [{"iter": 4, "a": 1}]}
    assert Path(tmp_path, "metrics.json").is_file()
