"""A toy model trains, is measured, resumes and is tested by the ordinary commands."""

import json
from pathlib import Path

import pytest
import yaml

from mmsuper import configuration
from mmsuper.cli import main
from mmsuper.errors import UserError
from mmsuper.projects.active_dormant import claims, figures, hooks
from mmsuper.registry import MODELS

CONFIGS = Path(__file__).parents[3] / "configs" / "active_dormant"
TINY = [
    "model.network.dim=8",
    "model.network.max_length=16",
    *(
        f"{loader}_dataloader.dataset.{key}"
        for loader in ("train", "val", "test")
        for key in ("seq_length=16", "batch_size=8")
    ),
    "train_cfg.val_interval=4",
    "default_hooks.checkpoint.interval=4",
    "custom_hooks.0.interval=2",
    "custom_hooks.0.sequences=4",
]


def train(folder, *words, iterations=6, name="toy-3l_adamw_bb-small"):
    options = [*TINY, f"train_cfg.max_iters={iterations}"]
    config = str(CONFIGS / f"{name}.py")
    assert (
        main(["train", config, "--work-dir", str(folder), *words, "--cfg-options", *options]) == 0
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy") / "run"
    train(folder)
    return folder


def test_the_hook_logs_at_its_steps(run):
    lines = hooks.read(run)
    assert [line["step"] for line in lines] == [0, 2, 4, 6]
    assert [len(line["layers"]) for line in lines] == [3] * 4
    assert "no layer 0" in lines[-1]["interventions"] and "interventions" not in lines[0]


def test_a_resumed_run_logs_what_an_unbroken_one_does(run, tmp_path):
    train(tmp_path / "run", iterations=4)
    train(tmp_path / "run", "--resume", iterations=6)
    resumed = hooks.read(tmp_path / "run")
    del resumed[2]["interventions"]  # step 4 was the last one once
    assert resumed == hooks.read(run)


def test_test_gives_the_risks(run, tmp_path, capsys):
    config = CONFIGS / "toy-3l_adamw_bb-small.py"
    words = ["test", str(config), str(run / "iter_6.pth"), "--work-dir", str(tmp_path)]
    assert main([*words, "--cfg-options", *TINY[:8]]) == 0
    assert "bigram_excess_after_first" in capsys.readouterr().out
    found = json.loads((tmp_path / "metrics.json").read_text())["test"]
    last = json.loads((run / "metrics.json").read_text())["val"]
    assert found == {key: last[key] for key in found}
    assert found["bigram"] - found["bigram_excess"] == pytest.approx(2.2, abs=0.3)


def test_figures_are_drawn_from_a_work_dir(run, tmp_path):
    one = figures.Run.read(run)
    figures.draw_dynamics([one] * 4, tmp_path / "dynamics.png")
    figures.draw_norms([one, one], tmp_path / "norms.png")
    figures.draw_peaks([one, one], tmp_path / "peaks.png")
    figures.draw_mitigations([one, one], "no layer 0", tmp_path / "mitigations.png")
    figures.draw_attention([one], tmp_path / "attention.png", length=16)
    assert len(list(tmp_path.glob("*.png"))) == 5


def test_claims_are_measured_on_runs(run):
    one = figures.Run.read(run)
    names = {claim.run for claim in claims.CLAIMS}
    runs = [one._replace(name=f"toy-{name}_bb-small") for name in names]
    rows = claims.table(runs).splitlines()[2:]
    assert len(rows) == len(claims.CLAIMS) and all(row.count("|") == 5 for row in rows)
    assert "not run" not in "".join(rows)
    last = one.lines[-1]
    by_claim = {row.split(" | ")[0].strip("| "): row.split(" | ")[3] for row in rows}
    peaks = [f"{layer['residual_peak']:.3g}" for layer in last["layers"]]
    name = "residual peak (norm of `<s>` less the others') of layers 0 / 1 / 2"
    assert by_claim[name].rstrip("| ") == " / ".join(peaks)
    assert claims.table([]).count("not run") == len(claims.CLAIMS)


def test_a_run_that_goes_on_is_refused_where_its_end_counts(run, tmp_path):
    one = figures.Run.read(run)
    going = one._replace(lines=one.lines[:-1])
    with pytest.raises(UserError, match="is it finished"):
        figures.draw_mitigations([going], "no layer 0", tmp_path / "mitigations.png")


def test_steps_stand_beside_the_authors(run):
    rows = claims.steps_table(figures.Run.read(run)).splitlines()
    assert rows[2].startswith("| 0 | 4.30 / 4.427 ") and not rows[2].endswith("| - |")
    assert rows[3].startswith("| 6 | - | ") and rows[4].endswith(" / -0.1 | - |")


def test_names_of_runs_are_cut():
    names = ["toy-3l_sgd_bb-small", "toy-2tf-mlp_adamw_bb", "toy-1l_no-bos_bb-small"]
    assert [claims.short(name) for name in names] == ["3l_sgd", "2tf-mlp", "1l_no-bos"]


def test_a_text_of_other_size_is_refused_in_a_sentence(tmp_path, capsys):
    (tmp_path / "text.txt").write_text("so many words " * 9)
    counts = [f"{part}_dataloader.dataset.counts={tmp_path}/text.txt" for part in ("train", "val")]
    words = ["--work-dir", str(tmp_path / "run"), "--cfg-options", *TINY, *counts]
    assert main(["train", str(CONFIGS / "toy-1l_adamw_bb-small.py"), *words]) == 2
    assert "set model.network.vocab_size=12" in capsys.readouterr().err


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"dynamics\.jsonl"):
        figures.Run.read(tmp_path)


RECIPES = {
    "toy-1l_adamw_bb": ("AdamW", 3e-4, 10_000, {"n_layers": 1}),
    "toy-3l_adamw_bb": ("AdamW", 3e-4, 10_000, {"n_layers": 3}),
    "toy-1l_adamw-100k_bb": ("AdamW", 3e-4, 100_000, {}),
    "toy-3l_sgd_bb": ("SGD", 0.03, 10_000, {"n_layers": 3}),
    "toy-1l_relu_bb": ("AdamW", 3e-3, 10_000, {"attn_use_relu": True}),
    "toy-3l_relu_bb": ("AdamW", 3e-4, 10_000, {"attn_use_relu": True, "n_layers": 3}),
    "toy-2tf-mlp_adamw_bb": ("AdamW", 3e-4, 10_000, {"no_attn": (2,), "n_layers": 3}),
    "toy-mlp-tf-mlp_adamw_bb": ("AdamW", 3e-4, 10_000, {"no_attn": (0, 2)}),
    "toy-attn-tf-attn_adamw_bb": ("AdamW", 3e-4, 10_000, {"no_ffn": (0, 2)}),
    "toy-lin-tf-lin_adamw_bb": ("AdamW", 3e-4, 10_000, {"no_attn": (0, 2), "linear_ffn": (0, 2)}),
}


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_the_papers(name):
    config = configuration.read(CONFIGS / f"{name}.py")
    kind, rate, steps, network = RECIPES[name]
    optimizer = config.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == (kind, rate, 1e-4)
    assert optimizer.get("betas", (0.9, 0.99)) == (0.9, 0.99)
    assert config.train_cfg.max_iters == steps and "param_scheduler" not in config
    data = config.train_dataloader.dataset
    assert (data.batch_size, data.seq_length) == (512, 256) and data.length >= steps
    found = config.model.network
    assert found.dim == 256 and {key: found[key] for key in network} == network


def test_metafile_states_the_parameters_of_every_config():
    models = yaml.safe_load((CONFIGS / "metafile.yml").read_text())["Models"]
    assert {model["Name"] for model in models} == {path.stem for path in CONFIGS.glob("*.py")}
    for model in models:
        network = MODELS.build(configuration.load(CONFIGS / f"{model['Name']}.py").model)
        count = sum(parameter.numel() for parameter in network.parameters())
        assert count == model["Metadata"]["Parameters"], model["Name"]


def test_reduced_model_has_the_data_s_triggers():
    config = configuration.load(CONFIGS / "toy-reduced_adamw_bb.py")
    from mmsuper.projects.active_dormant.task import Counts, Task

    assert sorted(Task(Counts.read()).triggers) == sorted(config.model.network.triggers)
    assert config.optim_wrapper.optimizer.lr == 0.03
