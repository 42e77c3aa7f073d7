"""SViT in detectors and segmentors: driven by us as by their own libraries."""

import json
import os
import runpy
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from mmengine.registry import DefaultScope
from two_processes import torchrun

from mmsuper import configuration
from mmsuper.analysis import network
from mmsuper.cli import main
from mmsuper.data import samples
from mmsuper.data.samples import recognition

DETECTOR = """
_base_ = 'mmsuper::svit/mask-rcnn_svit-sample_coco.py'
data_root = {root!r} + '/coco/'
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
# Few of an untrained detector's boxes are good, but their recall is not 0.
val_evaluator = dict(
    ann_file=data_root + 'annotations/instances_val.json',
    metric_items=['mAP', 'mAP_50', 'AR@1000', 'AR_m@1000'])
test_evaluator = val_evaluator
"""
ALL_BOXES = """
model = dict(test_cfg=dict(
    rpn=dict(nms_pre=1000, max_per_img=200),
    rcnn=dict(score_thr=0., max_per_img=400, nms=dict(iou_threshold=1.))))
"""
SEGMENTOR = """
_base_ = 'mmsuper::svit/upernet_svit-sample_segmentation.py'
data_root = {root!r} + '/segmentation'
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Four pictures for training and three held out, of instances and of mosaics."""
    root = tmp_path_factory.mktemp("data") / "samples"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recognition, "_COCO_SPLITS", {"train": 4, "val": 3})
        patch.setattr(recognition, "_SEGMENTATION_SPLITS", {"training": 4, "validation": 3})
        samples.make(root, ["coco", "segmentation"])
    return root


def prepare(folder, root, text):
    """A config in one file that any driver reads, and an untrained checkpoint."""
    path = folder / "with_bases.py"
    path.write_text(text.format(root=str(root)))
    config = configuration.load(path)
    config.dump(folder / "config.py")
    torch.manual_seed(0)
    model = network.build(config)
    torch.save({"state_dict": model.state_dict(), "meta": {}}, folder / "untrained.pth")
    return folder / "config.py", folder / "untrained.pth"


def by_their_tool(library, config, checkpoint, folder, monkeypatch):
    """The metrics that a library's own ``tools/test.py`` writes."""
    tool = Path(find_spec(library).origin).parent / ".mim" / "tools" / "test.py"
    words = [str(tool), str(config), str(checkpoint), "--work-dir", str(folder)]
    monkeypatch.setattr(sys, "argv", words)
    monkeypatch.setenv("LOCAL_RANK", "0")
    runpy.run_path(str(tool), run_name="__main__")
    (found,) = folder.glob("*/*.json")
    return json.loads(found.read_text())


@pytest.mark.parametrize(
    ("library", "text", "nonzero"),
    [("mmdet", DETECTOR + ALL_BOXES, "coco/bbox_AR@1000"), ("mmseg", SEGMENTOR, "mIoU")],
)
def test_our_driver_measures_what_the_librarys_own_tool_does(
    library, text, nonzero, root, tmp_path, monkeypatch
):
    config, checkpoint = prepare(tmp_path, root, text)
    words = ["test", config, checkpoint, "--work-dir", tmp_path / "ours"]
    assert main([*map(str, words), "--show-dir", str(tmp_path / "pictures")]) == 0
    ours = json.loads((tmp_path / "ours" / "metrics.json").read_text())["test"]
    theirs = by_their_tool(library, config, checkpoint, tmp_path / "theirs", monkeypatch)
    assert ours[nonzero] > 0
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 3
    assert {name: theirs[name] for name in ours if "time" not in name} == ours


@pytest.fixture(autouse=True)
def scope_of_before():
    """Runners leave their library's scope in force."""
    yield
    DefaultScope.get_instance(f"after-{os.urandom(4).hex()}", scope_name="mmengine")


# What makes the loss of a batch the mean of the losses of its halves: every process must
# divide by the same number. Without an undecided band every anchor counts, and without the
# ground truth among the regions each picture has as many; the masks' loss is left out, as it
# is a mean over the positive regions of a process, and their number differs. All anchors
# and regions are used, so none are drawn; no path is dropped; batch norms are in evaluation
# mode or absent.
EQUAL_HALVES = """
model = dict(
    backbone=dict(norm_eval=True, drop_path_rate=0.),
    neck=dict(norm_cfg=None),
    roi_head=dict(mask_head=None, mask_roi_extractor=None),
    train_cfg=dict(
        rpn=dict(assigner=dict(neg_iou_thr=0.7), sampler=dict(num=100_000)),
        rpn_proposal=dict(max_per_img=40),
        rcnn=dict(sampler=dict(num=100_000, pos_fraction=1., add_gt_as_proposals=False))))
train_dataloader = dict(batch_size={batch})
train_cfg = dict(max_iters=4, val_interval=100)
default_hooks = dict(logger=dict(interval=1), checkpoint=None)
log_processor = dict(window_size=1)
val_dataloader = None
val_cfg = None
val_evaluator = None
"""


def losses(folder):
    lines = (folder / "log" / "vis_data" / "scalars.json").read_text().splitlines()
    logged = [one for one in map(json.loads, lines) if "loss" in one]
    names = ("loss", "loss_rpn_cls", "loss_rpn_bbox", "loss_cls", "loss_bbox")
    return [[one[name] for name in names] for one in logged]


@pytest.mark.slow
def test_two_processes_have_the_detection_loss_of_one_with_twice_the_batch(root, tmp_path):
    for name, batch in (("one", 4), ("two", 2)):
        text = DETECTOR + EQUAL_HALVES.replace("{batch}", str(batch))
        (tmp_path / f"{name}.py").write_text(text.format(root=str(root)))
    assert main(["train", str(tmp_path / "one.py"), "--work-dir", str(tmp_path / "one")]) == 0
    torchrun("-m", "mmsuper", "train", tmp_path / "two.py", "--work-dir", tmp_path / "two")
    one, two = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(one) == 4
    # Sums in another order; after the first update the weights differ by as much.
    torch.testing.assert_close(torch.tensor(two), torch.tensor(one), rtol=1e-4, atol=1e-6)
