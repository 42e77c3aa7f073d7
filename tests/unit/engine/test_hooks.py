import io
import json
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


def test_averages_beside_the_training_are_saved_and_not_validated(tmp_path):
    """Validated and saved as the model are the raw weights, as if there were no averages."""
    from mmsuper.cli import main

    hook = "custom_hooks = [dict(type='{}', momentum=0.1)]"
    lines = {"none": "", "side": hook.format("mmsuper.SideEMAHook"), "host": hook.format("EMAHook")}
    errors, states = {}, {}
    for name, line in lines.items():
        config = tiny_training.write_config(tmp_path, line, name=f"{name}.py")
        assert main(["train", str(config), "--work-dir", str(tmp_path / name)]) == 0
        record = json.loads((tmp_path / name / "metrics.json").read_text())
        errors[name] = [one["error"] for one in record["history"]]
        states[name] = torch.load(tmp_path / name / "iter_12.pth", weights_only=True)
    assert errors["side"] == errors["none"] != errors["host"]
    raw = states["none"]["state_dict"]
    assert tiny_training.same(states["side"]["state_dict"], raw)
    averaged = states["host"]["state_dict"]
    beside = states["side"]["ema_state_dict"]
    assert not tiny_training.same(averaged, raw)
    assert all(torch.equal(beside[f"module.{name}"], value) for name, value in averaged.items())


def test_averages_beside_the_training_are_resumed(tmp_path):
    from mmsuper.cli import main

    line = "custom_hooks = [dict(type='mmsuper.SideEMAHook', momentum=0.1)]"
    config = tiny_training.write_config(tmp_path, line)
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    assert main(["train", str(config), "--work-dir", str(whole)]) == 0
    resume = ["--work-dir", str(halves), "--resume", str(whole / "iter_8.pth")]
    assert main(["train", str(config), *resume]) == 0
    ends = [torch.load(f / "iter_12.pth", weights_only=True) for f in (whole, halves)]
    for key in ("state_dict", "ema_state_dict"):
        assert tiny_training.same(ends[0][key], ends[1][key])
