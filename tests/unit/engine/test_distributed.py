"""Several processes train as one with the batch of all."""

import json

import pytest
import torch
from tiny_training import same, write_config
from two_processes import torchrun

from mmsuper.cli import main

# Random augmentation stays on; only dropout, drawn in each process, must be off.
NO_DROPOUT = "model['dropout'] = 0."


def losses(work_dir):
    lines = (work_dir / "log" / "vis_data" / "scalars.json").read_text().splitlines()
    return [one["loss"] for one in map(json.loads, lines) if "loss" in one]


def config_of(folder, runtime, *lines):
    path = write_config(folder, NO_DROPOUT, *lines, name=f"{runtime}.py")
    path.write_text(path.read_text().replace("runtime/default.py", f"runtime/{runtime}.py"))
    return path


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The work dir of one process with batch 4; the log shows every iteration's own loss."""
    folder = tmp_path_factory.mktemp("alone")
    config = config_of(
        folder,
        "default",
        "train_dataloader['batch_size'] = 4",
        "log_processor = dict(window_size=1)",
    )
    assert main(["train", str(config), "--work-dir", str(folder / "run")]) == 0
    return folder / "run"


def assert_equal_runs(alone, several):
    assert len(losses(alone)) == 12
    assert losses(several) == pytest.approx(losses(alone), rel=1e-5)
    errors = [
        json.loads((path / "metrics.json").read_text())["val"]["error"] for path in (alone, several)
    ]
    assert errors[1] == pytest.approx(errors[0], rel=1e-5)


@pytest.mark.slow
def test_two_processes_equal_one_with_twice_the_batch(tmp_path, alone):
    config = config_of(tmp_path, "ddp", "log_processor = dict(window_size=1)")
    torchrun("-m", "mmsuper", "train", config, "--work-dir", tmp_path / "run")
    assert_equal_runs(alone, tmp_path / "run")
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["processes"] == 2


# Starting processes takes most of the time, so they train and resume in one go.
TRAIN_AND_RESUME = """
import sys
import torch
from mmsuper.cli import main
torch.distributed.init_process_group("gloo")
config, first, second = sys.argv[1:]
code = main(["train", config, "--work-dir", first])
resumed = main(["train", config, "--work-dir", second, "--resume", first + "/iter_8.pth"])
torch.distributed.destroy_process_group()
sys.exit(code or resumed)
"""


@pytest.mark.slow
def test_sharded_training_equals_and_resumes(tmp_path, alone):
    config = config_of(tmp_path, "fsdp", "log_processor = dict(window_size=1)")
    script = tmp_path / "train_and_resume.py"
    script.write_text(TRAIN_AND_RESUME)
    torchrun(script, config, tmp_path / "first", tmp_path / "second")
    assert_equal_runs(alone, tmp_path / "first")
    whole, resumed = (
        torch.load(tmp_path / name / "iter_12.pth", weights_only=True)
        for name in ("first", "second")
    )
    assert same(whole["state_dict"], resumed["state_dict"])
    assert same(whole["optimizer"], resumed["optimizer"])
