"""TTVSR's recipes: what its configs read and how they train, on folders of few pictures."""

import time

import pytest
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DATASETS, PARAM_SCHEDULERS, DefaultScope, init_default_scope
from PIL import Image

from mmsuper import configuration
from mmsuper.paths import payload_root
from mmsuper.projects.ttvsr.network import TTVSR

CONFIGS = payload_root() / "configs/ttvsr"
# Where the data sets' frames are: of GT, of LR, names and how many.
REDS = ("train_sharp/001", "train_sharp_bicubic/X4/001", "{:08d}.png", range(50))
REDS4 = ("train_sharp/000", "train_sharp_bicubic/X4/000", "{:08d}.png", range(8))
VIMEO = ("sequences/00001/0002", "BDx4/00001/0002", "im{}.png", range(1, 8))
VID4 = ("clips/GT/city", "clips/BDx4/city", "frame_{:04d}.png", range(2, 6))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """All data sets at once; frames of 65x66 and 260x264 pixels tell their numbers."""
    root = tmp_path_factory.mktemp("data")
    for high, low, name, numbers in (REDS, REDS4, VIMEO, VID4):
        for folder, size in ((high, (264, 260)), (low, (66, 65))):
            (root / folder).mkdir(parents=True)
            for i in numbers:
                Image.new("RGB", size, (i, i, i)).save(root / folder / name.format(i))
    (root / "train.txt").write_text("001\n")
    (root / "reds4.txt").write_text("000\n")
    for name in ("train", "test"):
        (root / f"sep_{name}list.txt").write_text("00001/0002\n")
    yield root
    DefaultScope.get_instance(f"after-{time.time_ns()}", scope_name="mmengine")


def sample(root, config, split):
    """First sample of a config's data set, and the folder where the config expects it."""
    config = configuration.load(CONFIGS / f"{config}.py")
    init_default_scope("mmagic")
    dataset = config[f"{split}_dataloader"].dataset
    expected = dataset.data_root
    dataset.data_root = str(root / "clips" if expected in ("data/Vid4", "data/UDM10") else root)
    return expected, DATASETS.build(dataset)[0]


@pytest.mark.parametrize(
    ("config", "split", "folder", "frames", "truth"),
    [
        ("ttvsr_reds4", "train", "data/REDS", (50, 64, 64), (50, 3)),
        ("ttvsr_reds4", "test", "data/REDS", (8, 65, 66), (8, 3)),
        ("ttvsr_vimeo90k-bd", "train", "data/vimeo90k", (28, 64, 64), (28, 3)),
        ("ttvsr_vimeo90k-bd", "test", "data/vimeo90k", (28, 65, 66), (3,)),
        ("ttvsr_vimeo90k-bd", "val", "data/Vid4", (4, 65, 66), (4, 3)),
        ("ttvsr_vid4-bd", "test", "data/Vid4", (4, 65, 66), (4, 3)),
        ("ttvsr_udm10-bd", "test", "data/UDM10", (4, 65, 66), (4, 3)),
    ],
)
def test_data(root, config, split, folder, frames, truth):
    expected, item = sample(root, config, split)
    assert expected == folder
    clip, high = item["inputs"], item["data_samples"].gt_img
    assert clip.shape == (frames[0], 3, *frames[1:])
    assert high.shape == (*truth, 4 * frames[1], 4 * frames[2])
    numbers = clip[:, 0, 0, 0].tolist()
    assert truth == (3,) or high[:, 0, 0, 0].tolist() == numbers
    if frames[0] == 28:
        once = [1, 2, 3, 4, 5, 6, 7]
        assert numbers == 2 * [*once, *once[::-1]]
    if truth == (3,):
        assert high[0, 0, 0] == 4


def test_metrics_are_in_rgb_for_reds_and_on_luma_for_the_others():
    for path in sorted(CONFIGS.glob("ttvsr_*.py")):
        metrics = configuration.load(path).test_evaluator
        luma = {metric.get("y_channel", False) for metric in metrics}
        assert luma == {path.stem != "ttvsr_reds4"}
        assert {metric.get("crop_border", 0) for metric in metrics} == {0}


def test_schedule_is_the_paper_s():
    config = configuration.load(CONFIGS / "ttvsr_reds4.py")
    network = TTVSR(mid_channels=4, num_blocks=1)
    wrapper = build_optim_wrapper(network, config.optim_wrapper)
    rates = {name: group["lr"] for name, group in named_groups(network, wrapper.optimizer)}
    assert {rates[name] for name in rates if "spynet" in name} == {2.5e-5}
    assert {rates[name] for name in rates if "spynet" not in name} == {2e-4}
    options = {**config.param_scheduler, "T_max": 100, "end": 100, "optimizer": wrapper}
    scheduler = PARAM_SCHEDULERS.build(options)
    for _ in range(50):
        scheduler.step()
    assert wrapper.optimizer.param_groups[-1]["lr"] == pytest.approx((2e-4 + 1e-7) / 2)
    assert config.param_scheduler.T_max == config.train_cfg.max_iters == 400_000


def named_groups(network, optimizer):
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            yield names[id(parameter)], group
