"""The configs of DLGSANet: the paper's sizes, data, schedule and measures."""

from pathlib import Path

import pytest
import torch
import yaml

from mmsuper import configuration

FOLDER = Path(__file__).parents[2] / "configs" / "dlgsanet"
METAFILE = yaml.safe_load((FOLDER / "metafile.yml").read_text())["Models"]
# Parameters of the published models, and the paper's multiply-adds in 10^9.
PAPER = {
    "tiny": {2: (565_710, 128.1), 3: (572_205, 56.8), 4: (581_298, 32.0)},
    "light": {2: (745_188, 170.1), 3: (751_683, 75.4), 4: (760_776, 42.5)},
    "large": {2: (4_733_724, 1097), 3: (4_745_889, 486), 4: (4_762_920, 274)},
}
COUNTED = {
    "tiny": {2: 135.3, 3: 60.8, 4: 34.7},
    "light": {2: 178.3, 3: 79.9, 4: 45.5},
    "large": {2: 1123, 3: 500, 4: 282.5},
}
ROWS = [(size, scale) for size in PAPER for scale in (2, 3, 4)]


def load(name):
    return configuration.load(FOLDER / f"{name}.py", {})


def build(config):
    from mmsuper.registry import MODELS

    with torch.device("meta"):
        return MODELS.build(config.model.generator)


def test_every_config_is_in_the_metafile():
    assert {path.stem for path in FOLDER.glob("*.py")} == {model["Name"] for model in METAFILE}
    for model in METAFILE:
        assert model["Config"] == f"configs/dlgsanet/{model['Name']}.py"


@pytest.mark.parametrize("model", METAFILE, ids=lambda model: model["Name"])
def test_the_metafile_has_the_counts_of_the_network(model):
    network = build(load(model["Name"]))
    metadata = model["Metadata"]
    width, height = map(int, metadata["Input Size"].split("x"))
    assert sum(p.numel() for p in network.parameters()) == metadata["Parameters"]
    assert network.flops(height, width) == metadata["FLOPs"]


@pytest.mark.parametrize(("size", "scale"), ROWS)
def test_sizes_are_the_papers(size, scale):
    model = next(m for m in METAFILE if m["Name"] == f"dlgsanet-{size}_x{scale}_div2k")
    parameters, flops = PAPER[size][scale]
    assert model["Metadata"]["Parameters"] == parameters
    assert model["Metadata"]["Paper FLOPs"] == pytest.approx(flops * 1e9)
    assert model["Metadata"]["FLOPs"] == pytest.approx(COUNTED[size][scale] * 1e9, rel=0.002)
    assert model["Metadata"]["Source"] == "paper"


@pytest.mark.parametrize(("size", "scale"), ROWS)
def test_data_and_windows_follow_the_scale(size, scale):
    config = load(f"dlgsanet-{size}_x{scale}_div2k")
    generator = config.model.generator
    assert (generator.upscale, generator.tlc_kernel) == (scale, {2: 96, 3: 72, 4: 48}[scale])
    train, val = config.train_dataloader.dataset, config.val_dataloader.dataset
    assert train.data_prefix.img == f"DIV2K_train_LR_bicubic/X{scale}_sub"
    assert val.data_prefix.img == f"DIV2K_valid_LR_bicubic/X{scale}"
    assert val.filename_tmpl.img.format("0801") == f"0801x{scale}"
    sets = ["Set5", "Set14", "B100", "Urban100", "Manga109"]
    assert [loader.dataset.data_root for loader in config.test_dataloader] == [
        f"data/{name}" for name in sets
    ]
    assert {loader.dataset.data_prefix.img for loader in config.test_dataloader} == {f"LRx{scale}"}
    for name, metrics in zip(sets, config.test_evaluator, strict=True):
        measured = {(m.type, m.prefix, m.crop_border) for m in metrics}
        expected = {(f"mmsuper.{m}", name, 4) for m in ("PSNR", "SSIM")}
        if scale != 4:
            expected |= {(f"mmsuper.{m}", f"{name}_border{scale}", scale) for m in ("PSNR", "SSIM")}
        assert measured == expected and all(m.y_channel for m in metrics)


def test_training_is_the_papers():
    config = load("dlgsanet-light_x3_div2k")
    optimizer = config.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, tuple(optimizer.betas)) == ("Adam", 5e-4, (0.9, 0.99))
    assert config.train_dataloader.batch_size == 16
    assert config.train_cfg.max_iters == 500_000 and config.train_cfg.val_interval == 10_000
    crop = next(t for t in config.train_dataloader.dataset.pipeline if "PairedCrop" in t.type)
    assert crop.size == 48
    weights, learning_rate = learning_rates(config)
    assert learning_rate[0] == 5e-4
    assert learning_rate[250_001] == pytest.approx(2.5e-4)
    assert learning_rate[499_999] == pytest.approx(5e-4 / 16)
    assert weights == pytest.approx(0.999)


def learning_rates(config):
    """The decay of the average, and the learning rate at some iterations."""
    from mmengine.registry import HOOKS, PARAM_SCHEDULERS

    optimizer = torch.optim.Adam([torch.zeros(1)], lr=config.optim_wrapper.optimizer.lr)
    scheduler = PARAM_SCHEDULERS.build(
        config.param_scheduler, default_args={"optimizer": optimizer}
    )
    rates = {}
    for iteration in range(500_000):
        if iteration in (0, 250_001, 499_999):
            rates[iteration] = optimizer.param_groups[0]["lr"]
        scheduler.step()
    hook = HOOKS.build(config.custom_hooks[0])
    return 1 - hook.ema_cfg["momentum"], rates


@pytest.mark.parametrize("scale", [2, 4])
def test_the_demonstration_reads_pairs_of_its_scale(scale):
    config = load(f"dlgsanet-tiny_x{scale}_sample")
    assert config.model.generator.upscale == scale
    for name in ("train", "val", "test"):
        prefix = config[f"{name}_dataloader"].dataset.data_prefix
        assert prefix.img.endswith(f"LRx{scale}")
