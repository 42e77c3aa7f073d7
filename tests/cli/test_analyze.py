"""The verb analyze: curves, cost and speed."""

import json

import numpy as np
import pytest
from PIL import Image

from mmsuper.analysis import cost, curves, speed
from mmsuper.cli import main
from mmsuper.errors import UserError
from mmsuper.projects.dlgsanet.network import DLGSANet

VARIANTS = {
    "tiny": {"dim": 48, "groups": 3, "blocks": 3},
    "light": {"dim": 48, "groups": 4, "blocks": 3},
    "large": {"dim": 90, "groups": 6, "blocks": 4},
}
SIZES = {2: (360, 640, 96), 3: (240, 426, 72), 4: (180, 320, 48)}
# Multiply-adds in 10^9, counted on the authors' network.
COUNTED = {
    ("tiny", 2): 135.3, ("tiny", 3): 60.8, ("tiny", 4): 34.7,
    ("light", 2): 178.3, ("light", 3): 79.9, ("light", 4): 45.5,
    ("large", 2): 1123, ("large", 3): 500, ("large", 4): 282.5,
}  # fmt: skip
PARAMETERS = {
    ("tiny", 2): 565710, ("tiny", 3): 572205, ("tiny", 4): 581298,
    ("light", 2): 745188, ("light", 3): 751683, ("light", 4): 760776,
    ("large", 2): 4733724, ("large", 3): 4745889, ("large", 4): 4762920,
}  # fmt: skip


@pytest.mark.parametrize(("variant", "scale"), COUNTED)
def test_closed_form_is_what_was_counted_on_the_authors_network(variant, scale):
    height, width, window = SIZES[scale]
    network = DLGSANet(upscale=scale, tlc_kernel=window, **VARIANTS[variant]).eval()
    assert network.flops(height, width) == pytest.approx(COUNTED[variant, scale] * 1e9, rel=0.01)
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[variant, scale]


@pytest.mark.parametrize("variant", VARIANTS)
def test_cost_counts_what_the_closed_form_does_in_overlapping_windows(variant):
    def build():
        return DLGSANet(upscale=3, tlc_kernel=16, **VARIANTS[variant]).eval()

    assert cost.count(build, (3, 20, 36))[0].multiply_adds == build().flops(20, 36)


@pytest.mark.slow
def test_cost_at_the_size_of_the_papers_table():
    def build():
        return DLGSANet(upscale=4, tlc_kernel=48, **VARIANTS["tiny"]).eval()

    whole = cost.count(build, (3, 180, 320))[0]
    assert whole.multiply_adds == pytest.approx(COUNTED["tiny", 4] * 1e9, rel=0.01)
    assert whole.parameters == PARAMETERS["tiny", 4]


def test_cost_of_modules_adds_up_to_the_whole():
    costs = cost.count(lambda: DLGSANet(upscale=2, dim=12, groups=2, blocks=1), (3, 8, 8), depth=1)
    whole, parts = costs[0], costs[1:]
    assert sum(part.multiply_adds for part in parts) == whole.multiply_adds
    assert sum(part.parameters for part in parts) == whole.parameters


def test_cost_tells_the_products_of_attention_apart():
    from mmsuper.projects.svit.network import Attention

    layers, products = cost.count(lambda: Attention(8, 2), (8, 4, 6), depth=1), 2 * 24**2 * 8
    assert layers[0].multiply_adds == 24 * 8 * (24 + 8) + products
    assert [layer.attention_products for layer in layers] == [products, 0, 0]


def test_cost_counts_what_only_runs_on_real_numbers():
    import torch

    class Peeks(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 5, 3, padding=1)

        def forward(self, x):
            return self.conv(x) if x.sum().item() > 0 else x

    assert cost.count(Peeks, (3, 4, 6))[0].multiply_adds == 4 * 6 * 5 * 3 * 9


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tiny.py"
    path.write_text(
        "default_scope = 'mmsuper'\n"
        "model = dict(type='mmsuper.DLGSANet', upscale=2, dim=12, groups=1, blocks=1)\n"
    )
    return path


def test_cost_of_a_config(config, capsys):
    words = ["--shape", "3", "16", "20", "--cfg-options", "model.dim=24"]
    assert main(["analyze", "cost", str(config), *words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    network = DLGSANet(upscale=2, dim=24, groups=1, blocks=1)
    assert found["shape"] == [3, 16, 20]
    assert found["parameters"] == sum(p.numel() for p in network.parameters())
    assert found["multiply_adds"] == network.flops(16, 20)


def test_cost_of_a_video_network_is_that_of_a_clip(tmp_path, capsys):
    path = tmp_path / "video.py"
    path.write_text(
        "model = dict(generator=dict(type='mmsuper.TTVSR', mid_channels=8, num_blocks=1))\n"
        "model['type'] = 'mmsuper.TTVSREditor'\nmodel['pixel_loss'] = dict(type='L1Loss')\n"
        "default_scope = 'mmagic'\n"
    )
    words = ["analyze", "cost", str(path), "--json", "--shape"]
    assert main([*words, "2", "3", "64", "64"]) == 0
    found = json.loads(capsys.readouterr().out)
    trunk = next(module for module in found["modules"] if module["name"] == "trunk")
    # Of two frames in both directions: 16 to 8 channels, then a block's two convolutions.
    assert trunk["multiply_adds"] == 4 * 64 * 64 * 9 * (16 * 8 + 2 * 8 * 8)
    assert main([*words, "64", "64"]) == 2
    assert "(1, 64, 64) do not go through" in capsys.readouterr().err


@pytest.mark.slow
def test_speed_of_a_config_on_a_cpu(config, capsys):
    words = ["--shape", "3", "16", "20", "--batch", "2", "--device", "cpu", "--seconds", "0"]
    assert main(["analyze", "speed", str(config), *words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["shape"] == [2, 3, 16, 20]
    assert found["runs"] == 3
    assert 0 < found["fastest"] <= found["median"]
    assert found["images_per_second"] == pytest.approx(2 / found["median"])
    assert "fresh process" in found["memory_source"]


@pytest.mark.slow
def test_speed_on_a_device_that_is_not_there_is_bad_usage(config, capsys):
    words = ["--shape", "3", "8", "8", "--device", "no-such-device"]
    assert main(["analyze", "speed", str(config), *words]) == 2
    assert "--device no-such-device cannot be used" in capsys.readouterr().err


def test_resident_rise_sees_memory_that_is_freed_again():
    def run():
        block = np.ones(64 * 2**20, dtype=np.uint8)
        block += 1

    assert 60 * 2**20 < speed.resident_rise(run) < 100 * 2**20


@pytest.fixture
def run_dirs(tmp_path):
    def write(run, start, records):
        path = tmp_path / run / start / "vis_data" / "scalars.json"
        path.parent.mkdir(parents=True)
        path.write_text("".join(json.dumps(record) + "\n" for record in records))

    write("a", "20260101_000000", [{"loss": 3.0 - i, "iter": i, "step": i} for i in range(3)])
    write("a", "20260101_000100", [{"loss": 9.0, "step": 2}, {"mmsuper/PSNR": 30.5, "step": 3}])
    write("b", "20260101_000000", [{"loss": 5.0, "time": 0.1, "step": 1}])
    broken = tmp_path / "b/20260101_000000/vis_data/scalars.json"
    broken.write_text(broken.read_text() + '{"loss": 4.0, "st')
    return tmp_path


def test_curves_of_a_resumed_run_are_one_curve(run_dirs):
    found = curves.read(run_dirs / "a")
    assert found["loss"] == {0: 3.0, 1: 2.0, 2: 9.0}
    assert found["mmsuper/PSNR"] == {3: 30.5}


def test_curves_are_drawn_and_tabulated(run_dirs, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    out = run_dirs / "pictures" / "curves.png"
    runs = [str(run_dirs / "a"), str(run_dirs / "b")]
    assert main(["analyze", "curves", *runs, "-o", str(out)]) == 0
    picture = np.asarray(Image.open(out).convert("RGB")).astype(int)
    # Two panels with curves in matplotlib's first colours, blue and orange.
    assert (np.abs(picture - [31, 119, 180]).sum(2) < 30).any()
    printed = capsys.readouterr().out
    assert "mmsuper/PSNR" in printed
    assert " time " not in printed
    assert list(out.parent.iterdir()) == [out]


def test_curves_of_a_key_that_nobody_logged(run_dirs, capsys):
    assert main(["analyze", "curves", str(run_dirs / "b"), "--keys", "acc"]) == 2
    assert "no run logged 'acc'; there are loss, step, time" in capsys.readouterr().err


def test_curves_of_a_folder_without_logs(tmp_path):
    with pytest.raises(UserError, match="holds no logs"):
        curves.read(tmp_path)


def test_curves_into_an_unknown_format(run_dirs, capsys):
    out = run_dirs / "curves.xyz"
    assert main(["analyze", "curves", str(run_dirs / "a"), "-o", str(out)]) == 2
    assert "no picture format is called 'xyz'" in capsys.readouterr().err
    assert not out.exists()
