"""The verb train: what it leaves behind, what each flag changes, and what it refuses."""

import errno
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny_training
import torch
from tiny_training import same, weights, write_config

from mmsuper.cli import main


def train(*words):
    return main(["train", *map(str, words)])


@pytest.fixture(autouse=True)
def in_own_folder(tmp_path, monkeypatch):
    # Several threads wait for each other at length when the machine is busy.
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The work dir of an undisturbed run of 12 iterations with averaged weights."""
    folder = tmp_path_factory.mktemp("finished")
    config = write_config(folder, "custom_hooks = [dict(type='EMAHook')]")
    assert train(config, "--work-dir", folder / "run") == 0
    return folder / "run"


def metrics(work_dir):
    return json.loads((Path(work_dir) / "metrics.json").read_text())


def test_leaves_the_documented_files(finished):
    names = {path.name for path in finished.iterdir()}
    assert names == {
        *("config.py", "manifest.json", "metrics.json", "log"),
        *("iter_4.pth", "iter_8.pth", "iter_12.pth", "last_checkpoint"),
    }
    assert (finished / "log" / "log.log").stat().st_size
    scalars = (finished / "log" / "vis_data" / "scalars.json").read_text().splitlines()
    assert sum("loss" in line for line in scalars) == 12
    assert list((finished / "log" / "vis_data").glob("events.out.tfevents.*"))


def test_the_expanded_config_runs_again(finished, tmp_path):
    assert train(finished / "config.py", "--work-dir", tmp_path / "again") == 0
    assert same(weights(finished / "iter_12.pth"), weights(tmp_path / "again" / "iter_12.pth"))


def test_manifest(finished):
    manifest = json.loads((finished / "manifest.json").read_text())
    assert manifest["seed"] == 0
    assert manifest["verb"] == "train"
    assert manifest["packages"]["torch"] == torch.__version__.partition("+")[0]
    assert manifest["started"] <= manifest["finished"]
    (data,) = manifest["data"].values()
    assert (data["files"], data["bytes"]) == (1, 5)


def test_metrics(finished):
    found = metrics(finished)
    assert [one["iter"] for one in found["history"]] == [6, 12]
    assert found["val"] == found["history"][-1]
    assert found["train"]["iter"] == 12
    assert found["history"][1]["error"] < found["history"][0]["error"]


def test_default_work_dir_is_named_after_the_config(tmp_path):
    write_config(tmp_path, "train_cfg['max_iters'] = 1", name="short.py")
    assert train("short.py", "--no-validate") == 0
    assert (tmp_path / "work_dirs" / "short" / "iter_1.pth").is_file()


def test_seed(finished, tmp_path):
    config = write_config(tmp_path, "custom_hooks = [dict(type='EMAHook')]")
    assert train(config, "--work-dir", "other", "--seed", 1) == 0
    assert not same(weights(finished / "iter_12.pth"), weights("other/iter_12.pth"))
    assert json.loads(Path("other/manifest.json").read_text())["seed"] == 1


def test_deterministic(tmp_path):
    config = write_config(tmp_path, "train_cfg['max_iters'] = 1")
    assert train(config, "--work-dir", "run", "--deterministic") == 0
    assert torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("flags", [[], ["--amp"]])
def test_amp(tmp_path, flags):
    config = write_config(tmp_path, "train_cfg['max_iters'] = 1")
    tiny_training.TinyModel.dtypes.clear()
    assert train(config, "--work-dir", "run", "--no-validate", *flags) == 0
    half = torch.float16 if torch.cuda.is_available() else torch.bfloat16
    assert tiny_training.TinyModel.dtypes == [half if flags else torch.float32]


def test_auto_scale_lr(tmp_path, capsys):
    config = write_config(
        tmp_path, "auto_scale_lr = dict(base_batch_size=1)", "param_scheduler = None"
    )
    for name, flags in (("plain", []), ("scaled", ["--auto-scale-lr"])):
        assert train(config, "--work-dir", name, "--no-validate", *flags) == 0
    rates = [metrics(name)["train"]["lr"] for name in ("plain", "scaled")]
    assert rates == [0.01, 0.02]
    assert train(write_config(tmp_path), "--auto-scale-lr") == 2
    assert "base_batch_size" in capsys.readouterr().err


def test_no_validate(tmp_path):
    config = write_config(
        tmp_path, "default_hooks['checkpoint'].update(save_best='error', rule='less')"
    )
    assert train(config, "--work-dir", "run", "--no-validate") == 0
    assert "val" not in metrics("run")


@pytest.mark.parametrize("line", [[], ["runner_type = 'FlexibleRunner'"]], ids=["", "flexible"])
def test_compile(tmp_path, monkeypatch, line):
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    compiler = torch.compile
    monkeypatch.setattr(torch, "compile", lambda call: compiler(call, backend=backend))
    config = write_config(tmp_path, "train_cfg['max_iters'] = 2", *line)
    assert train(config, "--work-dir", "run", "--no-validate") == 0
    assert graphs == []
    assert train(config, "--work-dir", "run", "--no-validate", "--compile") == 0
    assert len(graphs) == 1


def test_cfg_options(tmp_path):
    options = ("--cfg-options", "train_cfg.max_iters=2", "val_loss=True")
    assert train(write_config(tmp_path), "--work-dir", "run", *options) == 0
    found = metrics("run")
    assert found["train"]["iter"] == 2
    assert found["val"]["val/loss"] > 0


def test_launcher_and_local_rank(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LOCAL_RANK", "0")
    config = write_config(tmp_path, "train_cfg['max_iters'] = 1")
    assert train(config, "--launcher", "none", "--local_rank", 0, "--no-validate") == 0
    assert train(config, "--launcher", "pytorch", "--local-rank=0") == 2
    assert "torchrun" in capsys.readouterr().err


def test_help_has_no_flag_that_mim_would_set(capsys):
    with pytest.raises(SystemExit):
        train("--help")
    assert "--gpus" not in capsys.readouterr().out


def test_dry_run_prints_and_leaves_nothing(tmp_path, capsys):
    config = write_config(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert train(config, "--work-dir", "run", "--dry-run") == 0
    lines = capsys.readouterr().out
    # 4 * 16 + 16 and 16 + 1
    assert "parameters          97\n" in lines
    assert "time per iteration" in lines
    assert "peak memory" in lines
    assert [path for path in sorted(tmp_path.rglob("*")) if "__pycache__" not in str(path)] == [
        path for path in before if "__pycache__" not in str(path)
    ]


@pytest.mark.parametrize("flexible", [False, True])
def test_resumed_equals_undisturbed(tmp_path, finished, flexible):
    lines = ["custom_hooks = [dict(type='EMAHook')]"]
    if flexible:
        lines.append("runner_type = 'FlexibleRunner'")
    config = write_config(tmp_path, *lines)
    assert train(config, "--work-dir", "run") == 0
    whole = torch.load("run/iter_12.pth", weights_only=True)
    assert same(whole["state_dict"], weights(finished / "iter_12.pth"))
    for name in ("iter_12.pth", "last_checkpoint"):
        Path("run", name).unlink()
    assert train(config, "--work-dir", "run", "--resume") == 0
    again = torch.load("run/iter_12.pth", weights_only=True)
    for part in ("state_dict", "ema_state_dict", "optimizer", "param_schedulers"):
        assert same(whole[part], again[part]), part
    assert [one["iter"] for one in metrics("run")["history"]] == [6, 12]


def test_epochs_resume_at_their_ends(tmp_path):
    config = write_config(
        tmp_path,
        "train_cfg = dict(by_epoch=True, max_epochs=3)",
        "train_dataloader['sampler']['type'] = 'DefaultSampler'",
        "param_scheduler = dict(type='CosineAnnealingLR', T_max=3)",
        "default_hooks['checkpoint'].update(by_epoch=True, interval=1)",
        "custom_hooks = [dict(type='EMAHook')]",
    )
    assert train(config, "--work-dir", "run") == 0
    whole = torch.load("run/epoch_3.pth", weights_only=True)
    for name in ("epoch_3.pth", "last_checkpoint"):
        Path("run", name).unlink()
    assert train(config, "--work-dir", "run", "--resume") == 0
    again = torch.load("run/epoch_3.pth", weights_only=True)
    for part in ("state_dict", "ema_state_dict", "optimizer", "param_schedulers"):
        assert same(whole[part], again[part]), part


def test_killed_and_resumed_equals_undisturbed(tmp_path):
    slow = "custom_hooks = [dict(type='EMAHook'), dict(type='SlowHook')]"
    lines = ["train_cfg['max_iters'] = 60", "default_hooks['checkpoint']['interval'] = 3"]
    workers = ["train_dataloader.update(num_workers=1, persistent_workers=True)"]
    plain = write_config(tmp_path, *lines, "custom_hooks = [dict(type='EMAHook')]")
    assert train(plain, "--work-dir", "whole") == 0
    config = write_config(tmp_path, *lines, *workers, slow, name="slow.py")
    paths = os.pathsep.join([str(tiny_training.FOLDER), str(Path(__file__).parents[2])])
    command = [sys.executable, "-m", "mmsuper", "train", config, "--work-dir", "killed"]
    process = subprocess.Popen(
        [str(word) for word in command],
        env={**os.environ, "PYTHONPATH": paths, "TINY_SLOW": "0.1"},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not Path("killed/iter_6.pth").is_file():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    # Somewhere between iteration 6 and 12, perhaps while a checkpoint is being written.
    time.sleep(int.from_bytes(os.urandom(1), "big") / 256 * 0.6)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not Path("killed/iter_60.pth").exists()
    assert train(config, "--work-dir", "killed", "--resume", "auto") == 0
    for part in ("state_dict", "ema_state_dict", "optimizer", "param_schedulers"):
        whole = torch.load("whole/iter_60.pth", weights_only=True)[part]
        again = torch.load("killed/iter_60.pth", weights_only=True)[part]
        assert same(whole, again), part


def test_half_written_checkpoint_is_passed_over(tmp_path, finished, capsys):
    config = write_config(tmp_path, "custom_hooks = [dict(type='EMAHook')]")
    assert train(config, "--work-dir", "run") == 0
    content = Path("run/iter_12.pth").read_bytes()
    Path("run/iter_12.pth").write_bytes(content[: len(content) // 2])
    assert train(config, "--work-dir", "run", "--resume", "auto") == 0
    errors = capsys.readouterr().err
    assert "passed over" in errors and "iter_12.pth" in errors
    assert "resuming from run/iter_8.pth" in errors
    assert same(weights("run/iter_12.pth"), weights(finished / "iter_12.pth"))


def test_resume_from_a_path(tmp_path, finished, capsys):
    config = write_config(tmp_path, "custom_hooks = [dict(type='EMAHook')]")
    assert train(config, "--work-dir", "run", "--resume", finished / "iter_4.pth") == 0
    assert same(weights("run/iter_12.pth"), weights(finished / "iter_12.pth"))
    assert train(config, "--work-dir", "run", "--resume", "nowhere.pth") == 2
    assert "no checkpoint at nowhere.pth" in capsys.readouterr().err
    assert train(config, "--work-dir", "b", "--resume", "run/iter_4.pth", "--seed", 5) == 2


def test_resume_auto_without_a_checkpoint_starts(tmp_path):
    config = write_config(tmp_path, "train_cfg['max_iters'] = 1")
    assert train(config, "--work-dir", "run", "--resume", "--no-validate") == 0
    assert metrics("run")["train"]["iter"] == 1


def test_weights_cannot_be_resumed(tmp_path, finished, capsys):
    torch.save({"state_dict": weights(finished / "iter_4.pth")}, "only.pth")
    assert train(write_config(tmp_path), "--resume", "only.pth") == 2
    assert "weights only" in capsys.readouterr().err


def test_load_from(tmp_path, finished):
    config = write_config(tmp_path, f"load_from = {str(finished / 'iter_12.pth')!r}")
    options = ("--cfg-options", "train_cfg.max_iters=1", "optim_wrapper.optimizer.lr=0.")
    assert train(config, "--work-dir", "run", *options) == 0
    assert same(weights("run/iter_1.pth"), weights(finished / "iter_12.pth"))


class Bomb:
    def __reduce__(self):
        return Path.touch, (Path("exploded"),)


@pytest.mark.parametrize("how", ["load_from", "resume"])
def test_pickle_bomb_is_refused(tmp_path, capsys, how):
    with Path("bomb.pth").open("wb") as file:
        torch.save({"state_dict": Bomb(), "meta": {}, "optimizer": {}}, file, pickle_module=pickle)
    words = ["--cfg-options", "load_from=bomb.pth"] if how == "load_from" else ["--resume"]
    words += ["bomb.pth"] if how == "resume" else []
    assert train(write_config(tmp_path), *words) == 2
    assert "can run code" in capsys.readouterr().err
    assert not Path("exploded").exists()


def test_best_checkpoint_is_of_the_averaged_weights(tmp_path):
    config = write_config(
        tmp_path,
        "custom_hooks = [dict(type='EMAHook')]",
        "default_hooks['checkpoint'].update(save_best='error', rule='less')",
    )
    assert train(config, "--work-dir", "run") == 0
    (best,) = Path("run").glob("best_*.pth")
    assert best.name == "best_error_iter_12.pth"
    assert main(["test", str(config), str(best), "--work-dir", "test"]) == 0
    history = {one["iter"]: one["error"] for one in metrics("run")["history"]}
    assert metrics("test")["test"]["error"] == history[12] < history[6]


def test_full_disk(tmp_path, monkeypatch, capsys):
    """The third checkpoint does not fit; with room for one, the second must survive."""
    from mmsuper.engine import checkpoints

    def write(path, content, write=checkpoints.write_bytes):
        if Path(path).name == "iter_12.pth":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(path, content)

    monkeypatch.setattr(checkpoints, "write_bytes", write)
    config = write_config(tmp_path, "default_hooks['checkpoint']['max_keep_ckpts'] = 1")
    assert train(config, "--work-dir", "run") == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.endswith(
        "the disk is full, the run has stopped; the last good checkpoint is run/iter_8.pth"
    )
    assert [path.name for path in Path("run").glob("*.pth")] == ["iter_8.pth"]
    assert weights("run/iter_8.pth")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train_dataloader['dataset']['data_root'] = 'nowhere'", "docs/data.md"),
        ("model['type'] = 'TinyMode'", "TinyMode is not in"),
        ("model['dropout'] = 2", "dropout probability has to be between 0 and 1"),
        ("runner_type = 'Walker'", "no runner_type 'Walker'"),
        ("load_from = 'nowhere.pth'", "no checkpoint at nowhere.pth"),
        ("optim_wrapper['lerning_rate'] = 1", "lerning_rate"),
        ("train_cfg = None", "no training"),
        ("default_hooks['checkpoint'].update(save_best='psnr', rule='less')", "gives error"),
    ],
)
def test_mistakes_in_a_config(tmp_path, capsys, line, message):
    assert train(write_config(tmp_path, line), "--work-dir", "run") == 2
    assert message in capsys.readouterr().err.strip().splitlines()[-1]


def test_mistakes_on_the_command_line(tmp_path, capsys):
    assert train("nowhere.py") == 2
    assert "no config file at nowhere.py" in capsys.readouterr().err
    config = write_config(tmp_path)
    assert train(config, "--cfg-options", "max_iters") == 2
    assert "KEY=VALUE" in capsys.readouterr().err
    for words in (["--launcher", "ssh"], ["--seed", "x"], ["--nonsense"]):
        with pytest.raises(SystemExit) as stop:
            train(config, *words)
        assert stop.value.code == 2
