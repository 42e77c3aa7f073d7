"""Train and test through the driver, in this process."""

import json
import os
from pathlib import Path

import pytest
import torch
from tiny_llm import MODEL

from mmsuper.cli import main
from mmsuper.llm import load_model, load_tokenizer, perplexity

CONFIG = """
_base_ = 'mmsuper::_base_/runtime/default.py'
default_scope = 'mmengine'
model = dict(type='mmsuper.CausalLM', config={model})
dataset = dict(
    type='mmsuper.TextWindows',
    data_root={texts!r},
    texts=dict(prose='prose.txt', code='code.txt'),
    tokenizer=dict(files=['prose.txt', 'code.txt'], vocab_size=300),
    window=32)
train_dataloader = dict(
    batch_size=2, num_workers=0, dataset=dataset,
    sampler=dict(type='InfiniteSampler', shuffle=True))
val_dataloader = dict(
    batch_size=3, num_workers=0, dataset=dict(stride=8, **dataset),
    sampler=dict(type='DefaultSampler', shuffle=False))
test_dataloader = val_dataloader
val_evaluator = dict(type='mmsuper.Perplexity')
test_evaluator = val_evaluator
train_cfg = dict(type='IterBasedTrainLoop', max_iters=4, val_interval=4)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-2))
custom_hooks = [dict(type='mmsuper.SaveFolderHook', dtype='float32')]
default_hooks = dict(checkpoint=dict(interval=2))
visualizer = dict(vis_backends=[])
"""


def run(*words):
    return main([str(word) for word in words])


def metrics(work_dir, stage):
    return json.loads((Path(work_dir) / "metrics.json").read_text())[stage]


@pytest.fixture(scope="module")
def trained(texts, tmp_path_factory):
    """Folder with a config ``lm.py`` and the finished run ``run``; the tests run in it."""
    torch.set_num_threads(1)
    folder, before = tmp_path_factory.mktemp("trained"), Path.cwd()
    os.chdir(folder)
    Path("lm.py").write_text(CONFIG.format(model=MODEL, texts=str(texts)))
    assert run("train", "lm.py", "--work-dir", "run") == 0
    yield folder
    os.chdir(before)


def test_leaves_a_folder_that_transformers_alone_loads(trained):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained("run/hf")
    tokenizer = AutoTokenizer.from_pretrained("run/hf")
    weights = torch.load("run/iter_4.pth", weights_only=True)["state_dict"]
    assert all(torch.equal(v, weights[f"model.{k}"]) for k, v in model.state_dict().items())
    assert len(tokenizer) == 300


def test_checkpoint_and_folder_have_the_perplexity_of_the_function(trained, texts):
    model, tokenizer = load_model("run/hf"), load_tokenizer("run/hf")
    ids = tokenizer((texts / "code.txt").read_text()).input_ids
    expected = perplexity(model, ids, 32, 8)
    last = metrics("run", "val")
    for checkpoint in ("run/iter_4.pth", "run/hf", "run/hf/model.safetensors"):
        assert run("test", "lm.py", checkpoint, "--work-dir", "tested") == 0
        found = metrics("tested", "test")
        assert found["code/perplexity"] == pytest.approx(expected, rel=1e-4)
        assert found == pytest.approx({key: last[key] for key in found}, rel=1e-5)


def test_the_flexible_runner_trains_alike(trained):
    options = ["runner_type=FlexibleRunner", "strategy.type=SingleDeviceStrategy"]
    assert run("train", "lm.py", "--work-dir", "flexible", "--cfg-options", *options) == 0
    found = load_model("flexible/hf").state_dict()
    expected = load_model("run/hf").state_dict()
    assert all(torch.equal(value, expected[key]) for key, value in found.items())


def test_a_folder_that_is_not_there_is_refused(trained, capsys):
    assert run("test", "lm.py", "/none/there") == 2
    assert "no model at /none/there" in capsys.readouterr().err
    assert run("test", "lm.py", "run/iter_9.pth") == 2
    assert "no checkpoint at run/iter_9.pth" in capsys.readouterr().err
