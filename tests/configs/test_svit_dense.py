"""SViT's configs for COCO and ADE20K: the paper's sizes and costs, the proposed schedules."""

from pathlib import Path

import pytest
import torch
import yaml

from mmsuper import configuration
from mmsuper.analysis import cost, network
from mmsuper.cli import main
from mmsuper.errors import UserError
from mmsuper.projects.svit.network import SViT

FOLDER = Path(__file__).parents[2] / "configs" / "svit"
ROWS = {m["Name"]: m for m in yaml.safe_load((FOLDER / "metafile.yml").read_text())["Models"]}
COCO, ADE = (3, 800, 1280), (3, 512, 2048)
# Millions of parameters (UperNet's without its auxiliary head) and 10^9 multiply-adds of
# convolutions and linear layers, as the paper counts; then the backbone's with attention.
COUNTED = {
    "mask-rcnn_svit-small_1x_coco": (COCO, 44.1, 252.5, 178.4),
    "mask-rcnn_svit-base_ms-3x_coco": (COCO, 70.3, 360.1, 368.8),
    "mask-rcnn_svit-large_1x_coco": (COCO, 113.5, 471.4, 584.6),
    "cascade-mask-rcnn_svit-base_ms-3x_coco": (COCO, 107.2, 837.3, 368.8),
    "upernet_svit-small_160k_ade20k-512": (ADE, 53.7, 926.8, 185.0),
    "upernet_svit-base_160k_ade20k-512": (ADE, 79.9, 1037.8, 382.0),
    "upernet_svit-large_160k_ade20k-512": (ADE, 123.9, 1152.5, 605.5),
}
DROP_PATH = {"small": 0.15, "base": 0.4, "large": 0.5}
DENSE = [p.stem for p in FOLDER.glob("*_svit-*.py") if p.stem.endswith(("_coco", "ade20k-512"))]
PAPERS = [name for name in DENSE if "sample" not in name]


def load(name):
    return configuration.load(FOLDER / f"{name}.py")


@pytest.mark.parametrize("name", COUNTED)
def test_costs_are_the_papers_in_both_conventions(name):
    config = load(name)
    shape, parameters, plain, backbone = COUNTED[name]

    def build():
        with torch.device("meta"):
            return network.build(config)

    modules = {one.name: one for one in cost.count(build, shape)}
    whole, auxiliary = modules[""], modules.get("auxiliary_head")
    without = whole.parameters - (auxiliary.parameters if auxiliary else 0)
    assert without / 1e6 == pytest.approx(parameters, abs=0.1)
    assert (whole.multiply_adds - whole.attention_products) / 1e9 == pytest.approx(plain, rel=5e-3)
    assert modules["backbone"].multiply_adds / 1e9 == pytest.approx(backbone, rel=5e-3)
    stated = ROWS[name]["Metadata"]
    assert whole.parameters == stated["Parameters"]
    assert whole.multiply_adds == stated["FLOPs"]
    assert whole.multiply_adds - whole.attention_products == stated["FLOPs without attention"]


@pytest.mark.parametrize("name", PAPERS)
def test_backbones_are_for_large_pictures_and_start_pre_trained(name):
    config = configuration.read(FOLDER / f"{name}.py")
    size = next(size for size in DROP_PATH if f"-{size}_" in name)
    backbone = config.model.backbone
    assert tuple(backbone.stoken_size) == (16, 8, 1, 1)
    assert backbone.out_norm and backbone.norm_eval
    assert backbone.drop_path_rate == DROP_PATH[size]
    assert backbone.init_cfg.checkpoint == f"pretrained/stvit-{size}-224.pth"
    base = configuration.read(FOLDER.parent / "_base_" / "models" / f"svit_{size}.py").backbone
    assert all(backbone[key] == base[key] for key in base if key != "drop_path_rate")


@pytest.mark.parametrize(
    ("name", "rate", "milestones"),
    [
        ("mask-rcnn_svit-small_1x_coco", 4e-4, [8, 11]),
        ("mask-rcnn_svit-base_1x_coco", 4e-4, [8, 11]),
        ("mask-rcnn_svit-large_1x_coco", 2e-4, [8, 11]),
        ("mask-rcnn_svit-small_ms-3x_coco", 4e-4, [27, 33]),
        ("mask-rcnn_svit-base_ms-3x_coco", 2e-4, [27, 33]),
        ("mask-rcnn_svit-large_ms-3x_coco", 2e-4, [27, 33]),
        ("cascade-mask-rcnn_svit-base_ms-3x_coco", 2e-4, [27, 33]),
    ],
)
def test_schedules_on_coco(name, rate, milestones):
    config = configuration.read(FOLDER / f"{name}.py")
    assert config.optim_wrapper.optimizer.lr == rate
    assert config.param_scheduler[1].milestones == milestones
    assert config.train_cfg.max_epochs == {8: 12, 27: 36}[milestones[0]]
    names = [transform.type for transform in config.train_dataloader.dataset.pipeline]
    assert ("RandomChoice" in names) == ("ms" in name)


def test_segmentation_is_tested_whole_and_at_many_sizes():
    config = load("upernet_svit-base_160k_ade20k-512")
    assert config.model.test_cfg.mode == "whole"
    assert config.tta_model.type == "SegTTAModel"
    sizes, flips = next(t for t in config.tta_pipeline if t.type == "TestTimeAug").transforms[:2]
    assert [one.scale_factor for one in sizes] == [0.5, 0.75, 1.0, 1.25, 1.5, 1.75]
    assert len(flips) == 2


def last_words(path, folder, capsys):
    assert main(["train", str(path), "--work-dir", str(folder / "run")]) == 2
    return capsys.readouterr().err.replace("\n", " ")


def test_missing_data_are_named_with_the_page_that_tells_of_them(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = last_words(FOLDER / "fpn_svit-small_80k_ade20k-512.py", tmp_path, capsys)
    assert "data/ade" in said and "docs/data.md" in said


def test_missing_weights_are_named_with_the_page_that_tells_of_them():
    init = {"type": "Pretrained", "checkpoint": "nowhere/stvit.pth"}
    with torch.device("meta"):
        backbone = SViT(depths=(1, 1, 1, 1), init_cfg=init)
    with pytest.raises(UserError, match=r"nowhere/stvit\.pth.*docs/data\.md"):
        backbone.init_weights()
