"""Several processes train as one with the batch of all."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import tiny_training
from tiny_training import same, weights, write_config

from mmsuper.cli import main

# Random augmentation stays on; only dropout, drawn in each process, must be off.
NO_DROPOUT = "model['dropout'] = 0."


def torchrun(config, work_dir, *words):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node=2", f"--master_port={port}"]
    command = [*launcher, "-m", "mmsuper", "train", config, "--work-dir", work_dir, *words]
    paths = [str(tiny_training.FOLDER), str(Path(__file__).parents[3])]
    return subprocess.run(
        [sys.executable, *map(str, command)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    )


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


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["ddp", "fsdp"])
def test_two_processes_equal_one_with_twice_the_batch(tmp_path, alone, runtime):
    config = config_of(tmp_path, runtime, "log_processor = dict(window_size=1)")
    torchrun(config, tmp_path / "run")
    assert len(losses(alone)) == 12
    assert losses(tmp_path / "run") == pytest.approx(losses(alone), rel=1e-5)
    metrics = [json.loads((p / "metrics.json").read_text()) for p in (alone, tmp_path / "run")]
    assert metrics[1]["val"]["error"] == pytest.approx(metrics[0]["val"]["error"], rel=1e-5)
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["processes"] == 2


@pytest.mark.slow
def test_sharded_training_resumes_exactly(tmp_path):
    config = config_of(
        tmp_path,
        "fsdp",
        "train_cfg['max_iters'] = 6",
        "val_cfg = None",
        "val_dataloader = None",
        "val_evaluator = None",
    )
    torchrun(config, tmp_path / "run")
    whole = weights(tmp_path / "run" / "iter_6.pth")
    (tmp_path / "run" / "iter_6.pth").unlink()
    assert "resuming from" in torchrun(config, tmp_path / "run", "--resume").stderr
    assert same(whole, weights(tmp_path / "run" / "iter_6.pth"))
