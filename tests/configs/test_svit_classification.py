"""The configs of SViT's classifiers: sizes, costs, and the authors' training."""

from pathlib import Path

import pytest
import torch
import yaml
from mmengine.registry import PARAM_SCHEDULERS, DefaultScope

from mmsuper import configuration
from mmsuper.analysis import cost, network
from mmsuper.apis import find_model
from mmsuper.cli import main

FOLDER = Path(__file__).parents[2] / "configs" / "svit"
METAFILE = yaml.safe_load((FOLDER / "metafile.yml").read_text())
METADATA = {model["Name"]: model["Metadata"] for model in METAFILE["Models"]}
SIZES = ("small", "base", "large")
PARAMETERS = {"small": 25_495_624, "base": 51_691_288, "large": 94_971_096}
# Multiply-adds in 10^9 counted on the authors' network: convolutions and matrix products.
COUNTED = {
    ("small", 224): 4.350, ("base", 224): 9.842, ("large", 224): 15.561,
    ("small", 384): 14.108, ("base", 384): 31.402, ("large", 384): 49.643,
}  # fmt: skip
TOP1 = {
    ("small", 224): 83.6, ("base", 224): 84.8, ("large", 224): 85.3,
    ("small", 384): 85.0, ("base", 384): 86.0, ("large", 384): 86.4,
}  # fmt: skip


def load(name, options=None):
    return configuration.load(FOLDER / f"{name}.py", options)


def tiny(name):
    """A config's model with a network of thousands of parameters."""
    sizes = {"embed_dim": (8, 8, 8, 8), "depths": (1, 1, 1, 1), "num_heads": (1, 1, 1, 1)}
    options = {f"model.backbone.{key}": value for key, value in sizes.items()}
    options |= {"model.neck.in_channels": 8, "model.head.num_classes": 10}
    return load(name, {**options, "data_preprocessor.num_classes": 10})


@pytest.mark.parametrize("size", SIZES)
def test_costs_are_the_authors_and_in_the_metafile(size):
    network_of_both = network.build(load(f"svit-{size}_in1k-224"))
    for side in (224, 384):
        model = find_model(f"svit-{size}_in1k-{side}")
        whole = cost.count(lambda: network_of_both, (3, side, side), depth=1)[0]
        assert whole.parameters == model.params == PARAMETERS[size]
        assert whole.multiply_adds == model.flops
        assert whole.multiply_adds == pytest.approx(COUNTED[size, side] * 1e9, rel=0.005)
        without = METADATA[model.name]["FLOPs without attention"]
        assert whole.multiply_adds - whole.attention_products == without
        if (size, side) == ("small", 224):
            # Of the authors' network, these are products of attention, the rest convolutions.
            assert whole.attention_products == pytest.approx(0.262e9, rel=0.005)
            assert without == pytest.approx(4.087e9, rel=0.005)
        assert model.metrics == {"ImageNet-1k": {"Top 1 Accuracy": TOP1[size, side]}}
        assert model.source == "paper"


@pytest.mark.parametrize("size", SIZES)
def test_from_scratch_is_the_papers(size):
    config = load(f"svit-{size}_in1k-224")
    optimizer = config.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.weight_decay) == ("AdamW", 1e-3, 0.05)
    assert (
        config.optim_wrapper.type == "AmpOptimWrapper" and "clip_grad" not in config.optim_wrapper
    )
    rates = {"small": 0.1, "base": 0.4, "large": 0.6}
    assert config.model.backbone.drop_path_rate == rates[size]
    assert config.train_cfg.max_epochs == 300
    assert 8 * config.train_dataloader.batch_size == config.auto_scale_lr.base_batch_size == 1024
    (average,) = config.custom_hooks
    assert average.type == "mmsuper.SideEMAHook" and average.update_buffers
    assert 1 - average.momentum == pytest.approx(0.99996)
    assert [a.type for a in config.model.train_cfg.augments] == ["Mixup", "CutMix"]
    assert config.model.head.loss.label_smooth_val == 0.1


def test_the_learning_rate_is_the_authors():
    config = load("svit-small_in1k-224").param_scheduler
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1e-3)
    scheduler = PARAM_SCHEDULERS.build(config, default_args={"optimizer": optimizer})
    rates = []
    for _ in range(300):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates[:4] == pytest.approx([1e-6, 1e-6, 2.008e-4, 4.006e-4])
    assert rates[151] == pytest.approx(5.05e-4)
    assert rates[299] == pytest.approx(1.01086e-5, rel=1e-5)


def test_weight_decay_leaves_out_vectors_only():
    from mmengine.optim import build_optim_wrapper

    config = tiny("svit-large_in1k-224")
    model = network.build(config)
    wrapper = build_optim_wrapper(model, {**config.optim_wrapper, "type": "OptimWrapper"})
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decay = {names[id(g["params"][0])]: g["weight_decay"] for g in wrapper.optimizer.param_groups}
    assert decay == {n: 0.05 * (p.ndim > 1) for n, p in model.named_parameters()}
    assert decay["backbone.stages.2.0.gamma1"] == decay["backbone.stages.3.0.gamma2"] == 0.05


@pytest.mark.parametrize("size", SIZES)
def test_fine_tuning_is_the_papers(size):
    config = load(f"svit-{size}_in1k-384")
    optimizer = config.optim_wrapper.optimizer
    assert (optimizer.lr, optimizer.weight_decay) == (5e-6, 1e-8)
    assert config.param_scheduler is None and config.train_cfg.max_epochs == 30
    assert 8 * config.train_dataloader.batch_size == config.auto_scale_lr.base_batch_size == 512
    assert config.load_from == f"work_dirs/svit-{size}_in1k-224/epoch_300.pth"
    assert config.custom_hooks[0].type == "mmsuper.SideEMAHook"


def test_fine_tuning_keeps_statistics_and_drops_no_path():
    model = network.build(tiny("svit-base_in1k-384")).train()
    before = {name: value.clone() for name, value in model.named_buffers()}
    image = torch.randn(2, 3, 32, 32)
    assert torch.equal(model(image), model(image))
    assert all(torch.equal(value, before[name]) for name, value in model.named_buffers())
    assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize(("side", "short"), [(224, 256), (384, 384)])
def test_pictures_are_cut_as_the_authors_do(side, short):
    import numpy as np
    from mmengine.dataset import Compose

    config = load(f"svit-small_in1k-{side}")
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        test = Compose(config.test_dataloader.dataset.pipeline[1:])
        train = Compose(config.train_dataloader.dataset.pipeline[1:])
    picture = np.zeros((2 * short, 3 * short, 3), np.uint8)
    # Half of the picture's size, then its middle: this square of it is all there is to see.
    inset = short - side
    picture[inset : inset + 2 * side, (3 * short) // 2 - side : (3 * short) // 2 + side] = 255
    seen = test({"img": picture, "gt_label": 0})["inputs"]
    assert seen.shape == (3, side, side) and (seen == 255).float().mean() > 0.98
    assert train({"img": picture, "gt_label": 0})["inputs"].shape == (3, side, side)


def test_repeated_augmentation_makes_an_epoch_no_longer():
    from mmengine.registry import DATA_SAMPLERS

    config = load("svit-small_in1k-224").train_dataloader
    defaults = {"dataset": range(90), "seed": 0}
    with DefaultScope.overwrite_default_scope("mmpretrain"):
        sampler = DATA_SAMPLERS.build(config.sampler, default_args=defaults)
    chosen = list(sampler)
    assert len(chosen) == len(sampler) == 90
    assert sorted(map(chosen.count, set(chosen))) == [3] * 30


def test_without_imagenet_a_sentence_names_the_page(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    config = str(FOLDER / "svit-small_in1k-224.py")
    assert main(["train", config, "--work-dir", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "data/imagenet" in error and "docs/data.md" in error and "Traceback" not in error


def test_twins_are_of_like_size_and_trained_alike():
    ours, theirs = load("svit-sample_digits"), load("resnet-sample_digits")
    sizes = [sum(p.numel() for p in network.build(c).parameters()) for c in (ours, theirs)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.1)
    assert {key: value for key, value in ours.items() if key != "model"} == {
        key: value for key, value in theirs.items() if key != "model"
    }
    assert ours.model.head.loss == theirs.model.head.loss
