"""The demonstration's own parts; what it trains and enlarges is tested where that lives."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

from mmsuper.apis.restoration import RestorationInferencer
from mmsuper.data.image_io import Picture

DEMO = Path(__file__).resolve().parents[2] / "demo" / "run.py"


@pytest.fixture(scope="module")
def demo():
    spec = importlib.util.spec_from_file_location("mmsuper_demo", DEMO)
    module = importlib.util.module_from_spec(spec)
    # Where dataclasses look for the module of a class.
    import sys

    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def enlarge():
    from torch import nn

    return RestorationInferencer(nn.Upsample(scale_factor=4))


def make_picture(*shape):
    return Picture(np.random.default_rng(0).integers(0, 256, shape, np.uint8), "RGB")


def test_page_shows_every_version_and_states_whose_model_it_is(demo, enlarge, tmp_path):
    small, truth = make_picture(20, 30, 3), make_picture(80, 120, 3)
    item = demo.show("bird", small, truth, enlarge, tmp_path / "images/bird")
    own = demo.show("<mine>", small, None, enlarge, tmp_path / "images/own-1")
    training = demo.Training("the command", 10, 60.0, [(5, 0.5), (10, 0.25)], [(10, 21.5)])
    page = demo.write_page(tmp_path, [item], [own], training, enlarge, "w.safetensors")

    assert [panel.title for panel in item.panels] == ["input", "bicubic", "ours", "truth"]
    assert [panel.title for panel in own.panels] == ["input", "bicubic", "ours"]
    text = page.read_text()
    for source in re.findall(r'src="([^"]+)"', text):
        assert (tmp_path / source).stat().st_size > 0, source
    assert len(re.findall(r"<figure", text)) == 7
    for panel in item.panels[1:3]:
        assert str(panel.score) in text
    assert "Not the paper's model" in text
    assert "21.50 dB at the end" in text
    assert "&lt;mine&gt;" in text
    assert "http" not in text.replace("http://www.w3.org", "")  # nothing from elsewhere


def test_detail_is_where_the_edges_are(demo):
    pixels = np.full((64, 90, 3), 128, np.uint8)
    pixels[40:52, 60:72] = np.random.default_rng(0).integers(0, 256, (12, 12, 3), np.uint8)
    rows, columns = demo.busiest_part(pixels, 16)
    assert rows.start <= 40 < 52 <= rows.stop
    assert columns.start <= 60 < 72 <= columns.stop
    rows, columns = demo.busiest_part(pixels[:5], 16)
    assert (rows.stop - rows.start, columns.stop - columns.start) == (5, 5)


def test_middle_of_a_photograph(demo):
    picture = make_picture(600, 100, 3)
    np.testing.assert_array_equal(demo.middle(picture).pixels, picture.pixels[172:428])


def test_missing_weights_and_photos_are_told_before_training(demo, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(demo, "train", lambda *_: pytest.fail("training was begun"))
    monkeypatch.setattr("sys.argv", ["run.py", "--weights", str(tmp_path / "no.safetensors")])
    assert demo.main() == 2
    assert "no checkpoint at" in capsys.readouterr().err
    given = ["run.py", "--weights", str(tmp_path / "given.safetensors")]
    monkeypatch.setattr(demo, "RestorationInferencer", lambda *_: None)
    monkeypatch.setattr("sys.argv", [*given, "--photos", str(tmp_path)])
    assert demo.main() == 2
    assert "no pictures in" in capsys.readouterr().err
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr("sys.argv", [*given, "--output", str(tmp_path / "file/output")])
    assert demo.main() == 2
    assert "cannot write to" in capsys.readouterr().err
