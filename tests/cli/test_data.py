"""``python -m mmsuper data``."""

import numpy as np
from PIL import Image

from mmsuper import cli
from mmsuper.data.resize import imresize
from mmsuper.evaluation import psnr


def test_makes_the_named_kinds_and_prints_where(tmp_path, capsys):
    assert cli.main(["data", "classification", "-o", str(tmp_path)]) == 0
    assert str(tmp_path / "classification") in capsys.readouterr().out.replace("\n", "")
    assert len(list(tmp_path.glob("classification/*/*/*.png"))) == 1797
    assert [path.name for path in tmp_path.iterdir()] == ["classification"]


def test_unknown_kind(tmp_path, capsys):
    assert cli.main(["data", "imagenet", "-o", str(tmp_path)]) == 2
    assert "kinds: sr, classification" in capsys.readouterr().err


def test_prepare_pairs(tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    Image.fromarray(np.zeros((24, 24, 3), np.uint8)).save(tmp_path / "mine/a.png")
    arguments = ["-i", str(tmp_path / "mine"), "-o", str(tmp_path / "out"), "-j", "1"]
    assert cli.main(["data", "prepare", "pairs", *arguments, "--scales", "4"]) == 0
    assert "1 pictures at each scale" in capsys.readouterr().out
    assert Image.open(tmp_path / "out/LRx4/a.png").size == (6, 6)
    assert not (tmp_path / "out/LRx2").exists()
    assert cli.main(["data", "prepare", "pairs"]) == 2
    assert "needs -i" in capsys.readouterr().err


def test_prepare_div2k_without_a_download(tmp_path, capsys):
    assert cli.main(["data", "prepare", "div2k", "-i", str(tmp_path)]) == 2
    assert "docs/data.md" in capsys.readouterr().err
    assert cli.main(["data", "prepare", "imagenet"]) == 2
    assert "prepare knows" in capsys.readouterr().err


def test_bicubic_measures_a_folder_of_pairs(tmp_path, capsys):
    rng = np.random.default_rng(0)
    (tmp_path / "mine").mkdir()
    for name in "ab":
        picture = rng.integers(0, 256, (48, 48, 3), dtype=np.uint8)
        Image.fromarray(picture).save(tmp_path / f"mine/{name}.png")
    arguments = ["-i", str(tmp_path / "mine"), "-o", str(tmp_path / "out"), "-j", "1"]
    cli.main(["data", "prepare", "pairs", *arguments, "--scales", "2"])
    capsys.readouterr()

    assert cli.main(["data", "bicubic", "-i", str(tmp_path / "out"), "--scales", "2"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    values = {row[1]: float(row[3]) for row in rows if len(row) == 7 and row[1] != "picture"}
    low, high = (np.array(Image.open(tmp_path / f"out/{f}/a.png")) for f in ("LRx2", "HR"))
    expected = psnr(imresize(low, 2), high, crop_border=4, y_channel=True)
    assert abs(values["a"] - expected) < 0.006
    assert abs(values["mean"] - (values["a"] + values["b"]) / 2) < 0.011

    # The same two as frames of a clip: in RGB, with the border.
    for folder in ("LRx2", "HR"):
        (tmp_path / "clips" / folder).mkdir(parents=True)
        (tmp_path / "out" / folder).rename(tmp_path / "clips" / folder / "one")
    assert cli.main(["data", "bicubic", "-i", str(tmp_path / "clips"), "--scales", "2"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    values = {row[1]: float(row[3]) for row in rows if len(row) == 7 and row[0] == "│"}
    frames = [
        [np.array(Image.open(tmp_path / f"clips/{f}/one/{name}.png")) for f in ("LRx2", "HR")]
        for name in "ab"
    ]
    expected = sum(psnr(imresize(low, 2), high) for low, high in frames) / 2
    assert abs(values["one"] - expected) < 0.006

    assert cli.main(["data", "bicubic", "-i", str(tmp_path / "out"), "--scales", "3"]) == 2
    assert "no PNG pictures" in capsys.readouterr().err
