"""The verb ``infer`` on files: names, modes, failures and what is left behind."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from mmsuper import checkpoint
from mmsuper.cli import main
from mmsuper.projects.dlgsanet.network import DLGSANet

NETWORK = dict(upscale=2, dim=12, groups=1, blocks=1, tlc_kernel=16)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Words of a command line that name a small network with random weights."""
    folder = tmp_path_factory.mktemp("model")
    config = folder / "small_config.py"
    config.write_text(f"model = dict(generator=dict(type='mmsuper.DLGSANet', **{NETWORK}))\n")
    torch.manual_seed(0)
    checkpoint.save(folder / "small.safetensors", DLGSANet(**NETWORK).state_dict())
    return [str(config), "--weights", str(folder / "small.safetensors"), "--device", "cpu"]


def save_picture(path, size=(12, 10), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = {"L": (), "RGB": (3,), "RGBA": (4,), "CMYK": (4,)}[mode]
    pixels = np.random.default_rng(len(path.name)).integers(0, 256, (*size[::-1], *channels))
    Image.fromarray(pixels.astype(np.uint8), mode).save(path, **options)
    return path


def infer(model, *words):
    config, *rest = model
    return main(["infer", config, *map(str, words), *rest])


def files_in(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_pictures_of_all_modes_keep_name_mode_and_depth(tmp_path, model, capsys):
    import cv2

    save_picture(tmp_path / "in/colour.png")
    save_picture(tmp_path / "in/grey.png", mode="L")
    save_picture(tmp_path / "in/deep/clear.png", mode="RGBA")
    save_picture(tmp_path / "in/ink.jpg", mode="CMYK")
    save_picture(tmp_path / "in/dot.png", size=(1, 1))
    cv2.imwrite(str(tmp_path / "in/wide.png"), np.full((5, 6, 3), 40000, np.uint16))
    (tmp_path / "in/notes.txt").write_text("no picture")

    assert infer(model, tmp_path / "in", "-o", tmp_path / "out") == 0
    assert files_in(tmp_path / "out") == [
        "colour.png", "deep/clear.png", "dot.png", "grey.png", "ink.jpg", "wide.png"
    ]  # fmt: skip
    opened = {name: Image.open(tmp_path / "out" / name) for name in files_in(tmp_path / "out")}
    assert {name: image.mode for name, image in opened.items()} == {
        "colour.png": "RGB", "grey.png": "L", "deep/clear.png": "RGBA", "ink.jpg": "CMYK",
        "dot.png": "RGB", "wide.png": "RGB",
    }  # fmt: skip
    assert opened["colour.png"].size == (24, 20)
    assert opened["dot.png"].size == (2, 2)
    assert cv2.imread(str(tmp_path / "out/wide.png"), -1).dtype == np.uint16
    assert capsys.readouterr().out.endswith("6 done\n")


def test_rotated_jpeg_comes_out_upright(tmp_path, model):
    exif = Image.Exif()
    exif[0x0112] = 6
    save_picture(tmp_path / "a.jpg", size=(12, 10), exif=exif)
    assert infer(model, tmp_path / "a.jpg", "-o", tmp_path / "out") == 0
    result = Image.open(tmp_path / "out/a.jpg")
    assert result.size == (20, 24)
    assert result.getexif().get(0x0112, 1) == 1


def test_result_is_the_networks(tmp_path, model):
    """What lies in the file is what the network says, at the right place and in RGB order."""
    from mmsuper.checkpoint import load_weights

    save_picture(tmp_path / "a.png")
    assert infer(model, tmp_path / "a.png", "-o", tmp_path / "b.png") == 0
    network = DLGSANet(**NETWORK).eval()
    load_weights(network, model[2])
    pixels = torch.from_numpy(np.asarray(Image.open(tmp_path / "a.png")).copy()) / 255
    with torch.inference_mode():
        expected = network(pixels.permute(2, 0, 1)[None])[0].permute(1, 2, 0).clamp(0, 1)
    found = torch.from_numpy(np.asarray(Image.open(tmp_path / "b.png")).copy()) / 255
    assert (found - expected).abs().max() <= 0.51 / 255


def test_bad_files_are_named_and_skipped_with_exit_code_1(tmp_path, model, capsys):
    save_picture(tmp_path / "in/a.png")
    broken = save_picture(tmp_path / "in/broken.jpg", size=(64, 64))
    broken.write_bytes(broken.read_bytes()[:-300])
    (tmp_path / "in/text.png").write_text("no picture")
    save_picture(tmp_path / "in/z.png")

    assert infer(model, tmp_path / "in", "-o", tmp_path / "out") == 1
    captured = capsys.readouterr()
    assert "broken.jpg" in captured.err
    assert "text.png is not a picture" in captured.err
    assert captured.out.endswith("2 done, 2 failed\n")
    assert files_in(tmp_path / "out") == ["a.png", "z.png"]


def test_strict_stops_at_the_first_bad_file(tmp_path, model, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.png").write_text("no picture")
    save_picture(tmp_path / "in/b.png")
    assert infer(model, tmp_path / "in", "-o", tmp_path / "out", "--strict") == 1
    assert "a.png is not a picture" in capsys.readouterr().err
    assert files_in(tmp_path / "out") == []


def test_unwritable_output_fails_before_any_work(tmp_path, model, capsys, monkeypatch):
    from mmsuper.apis import restoration

    monkeypatch.setattr(restoration, "load_network", lambda *_: pytest.fail("work was begun"))
    save_picture(tmp_path / "a.png")
    (tmp_path / "file").write_text("in the way")
    assert infer(model, tmp_path / "a.png", "-o", tmp_path / "file" / "out") == 2
    assert "cannot write to" in capsys.readouterr().err


def test_same_names_from_different_folders_do_not_collide(tmp_path, model):
    one, two = (
        save_picture(tmp_path / "x/one/a.png", (4, 4)),
        save_picture(tmp_path / "x/two/a.png", (6, 6)),
    )
    three = save_picture(tmp_path / "x/b.png", (5, 5))
    out = tmp_path / "out"
    assert infer(model, one, two, three, one, "-o", out) == 0
    assert files_in(out) == ["b.png", "one/a.png", "two/a.png"]
    assert Image.open(out / "one/a.png").size == (8, 8)
    assert Image.open(out / "two/a.png").size == (12, 12)


def test_same_name_in_another_format_does_not_collide(tmp_path, model):
    save_picture(tmp_path / "in/a.png")
    save_picture(tmp_path / "in/a.jpg")
    save_picture(tmp_path / "in/a.gif", mode="L")
    assert infer(model, tmp_path / "in", "-o", tmp_path / "out") == 0
    assert files_in(tmp_path / "out") == ["a.gif.png", "a.jpg", "a.png"]


def test_results_that_exist_are_skipped_or_overwritten(tmp_path, model, capsys):
    save_picture(tmp_path / "in/a.png")
    out = tmp_path / "out"
    save_picture(out / "a.png", size=(3, 3))
    assert infer(model, tmp_path / "in", "-o", out) == 0
    assert "0 done, 1 skipped" in capsys.readouterr().out
    assert Image.open(out / "a.png").size == (3, 3)
    assert infer(model, tmp_path / "in", "-o", out, "--overwrite") == 0
    assert Image.open(out / "a.png").size == (24, 20)


def test_inputs_are_never_replaced(tmp_path, model, capsys):
    path = save_picture(tmp_path / "a.png")
    before = path.read_bytes()
    assert infer(model, tmp_path, "-o", tmp_path, "--overwrite") == 2
    assert "would replace the input" in capsys.readouterr().err
    assert infer(model, path, "-o", path, "--overwrite") == 2
    assert path.read_bytes() == before


def test_results_below_the_input_folder_are_no_inputs(tmp_path, model):
    save_picture(tmp_path / "a.png")
    for _ in range(2):
        assert infer(model, tmp_path, "-o", tmp_path / "out") == 0
    assert files_in(tmp_path) == ["a.png", "out/a.png"]


def test_compare_and_truth(tmp_path, model, capsys):
    save_picture(tmp_path / "lr/birdx2.png", size=(30, 20))
    save_picture(tmp_path / "hr/bird.png", size=(61, 40))  # one pixel more than twice the width
    out = tmp_path / "out"
    words = [tmp_path / "lr", "-o", out, "--compare", "--gt", tmp_path / "hr"]
    assert infer(model, *words) == 0
    assert files_in(out) == ["birdx2.png", "compare/birdx2.png"]
    page = Image.open(out / "compare/birdx2.png")
    assert page.width >= 3 * 60
    assert page.height > 40
    text = capsys.readouterr().out
    assert "birdx2.png" in text
    assert "mean" in text

    from mmsuper.evaluation.functional import psnr

    result = np.asarray(Image.open(out / "birdx2.png"))
    truth = np.asarray(Image.open(tmp_path / "hr/bird.png"))[:40, :60]
    assert f"{psnr(result, truth, 2, y_channel=True):.2f} dB" in text


def test_tiles_give_the_same_picture(tmp_path, model):
    save_picture(tmp_path / "a.png", size=(90, 70))
    assert infer(model, tmp_path / "a.png", "-o", tmp_path / "whole.png", "--tile", 0) == 0
    tiles = ["--tile", 64, "--tile-overlap", 28]
    assert infer(model, tmp_path / "a.png", "-o", tmp_path / "tiled.png", *tiles) == 0
    whole = np.asarray(Image.open(tmp_path / "whole.png")).astype(int)
    tiled = np.asarray(Image.open(tmp_path / "tiled.png")).astype(int)
    assert abs(whole - tiled).max() <= 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["missing.png", "-o", "out"], "no file or folder at"),
        (["empty", "-o", "out"], "no pictures in"),
        (["a.png", "b.png", "-o", "one.png"], "is a file's name"),
        (["a.png", "-o", "out", "--gt", "nowhere"], "no folder of true pictures"),
        (["a.png", "-o", "out", "--gt", "empty"], "has no picture called a"),
        (["a.png", "-o", "out", "--tile", "100"], "less than half the tile"),
    ],
)
def test_bad_usage_is_one_sentence_and_exit_code_2(
    tmp_path, model, capsys, monkeypatch, words, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    save_picture(tmp_path / "a.png")
    save_picture(tmp_path / "b.png")
    assert infer(model, *words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_mode_that_the_named_format_cannot_hold(tmp_path, model, capsys):
    save_picture(tmp_path / "a.png", mode="RGBA")
    assert infer(model, tmp_path / "a.png", "-o", tmp_path / "a.jpg") == 1
    assert "JPEG cannot hold a picture of mode RGBA" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "a.jpg").exists()


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """Words of a command line that name a small classifier of 10 classes."""
    from mmsuper import configuration
    from mmsuper.analysis import network

    folder = tmp_path_factory.mktemp("classifier")
    config = folder / "small_classifier.py"
    config.write_text(
        "_base_ = 'mmsuper::svit/svit-sample_digits.py'\n"
        "model = dict(backbone=dict(depths=(1, 1, 1, 1)))\n"
    )
    torch.manual_seed(0)
    state = network.build(configuration.load(config)).state_dict()
    torch.save({"state_dict": state}, folder / "small.pth")
    return [str(config), "--weights", str(folder / "small.pth"), "--device", "cpu"]


def test_classifier_names_bad_files_and_goes_on_where_it_was(tmp_path, classifier, capsys):
    for name, size in [("a.png", (32, 32)), ("deep/b.jpg", (40, 32)), ("c.png", (32, 32))]:
        save_picture(tmp_path / "in" / name, size)
    broken = tmp_path / "in/b.png"
    broken.write_text("no picture")
    out = tmp_path / "out"
    words = [tmp_path / "in", "-o", out, "--top-k", 2, "--batch-size", 3]
    assert infer(classifier, *words) == 1
    captured = capsys.readouterr()
    assert "b.png is not a picture" in captured.err
    assert captured.out.endswith("3 done, 1 failed\n")
    content = json.loads((out / "predictions.json").read_text())
    assert [image["file_name"] for image in content["images"]] == ["a.png", "c.png", "deep/b.jpg"]
    assert len(content["annotations"]) == 3 * 2
    assert content["annotations"][0]["score"] >= content["annotations"][1]["score"]

    save_picture(broken, (32, 32))
    assert infer(classifier, *words) == 0
    assert "1 done, 3 skipped" in capsys.readouterr().out
    assert len(json.loads((out / "predictions.json").read_text())["images"]) == 4
    assert infer(classifier, tmp_path / "in", "-o", out) == 2
    assert "was made with top_k 2, not 5" in capsys.readouterr().err
    assert infer(classifier, tmp_path / "in", "-o", out, "--overwrite") == 0
    assert files_in(out) == ["predictions.json"]


def test_super_tokens_are_drawn_beside_the_result(tmp_path, classifier, capsys):
    save_picture(tmp_path / "a.png", (64, 48))
    words = [tmp_path / "a.png", "-o", tmp_path / "out", "--show-super-tokens", "--token"]
    assert infer(classifier, *words, "10,60") == 0
    assert files_in(tmp_path / "out") == [
        "predictions.json", *(f"super_tokens/a_stage{i}.png" for i in range(1, 5))
    ]  # fmt: skip
    assert infer(classifier, *words, "48,0", "--overwrite") == 1
    assert "not in a picture of 48 rows" in " ".join(capsys.readouterr().err.split())


def test_detections_and_segments_are_drawn(tmp_path, monkeypatch, capsys):
    """What the networks find is given here, so that it is known where it must be drawn."""
    from types import SimpleNamespace

    from mmsuper.apis import recognition

    masks = np.zeros((2, 60, 80), bool)
    masks[0, 20:50, 10:40] = True
    found = {
        "boxes": np.array([[10, 20, 40, 50], [50, 5, 70, 15]], np.float32),
        "scores": np.array([0.8, 0.2], np.float32),
        "labels": np.array([1, 0]),
        "masks": masks,
    }
    labels = np.zeros((60, 80), np.int64)
    labels[:, 60:] = 1
    colours = np.array([[0, 0, 255], [255, 0, 0]], np.uint8)
    pixels = np.full((60, 80, 3), 100, np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")

    class Given(SimpleNamespace):
        def __call__(self, images):
            return [found if self.task == "detection" else {"labels": labels}]

    for scope, task in [("mmdet", "detection"), ("mmseg", "segmentation")]:
        given = Given(task=task, names=["cup", "sky"], colours=colours, category_ids=[1, 2])
        monkeypatch.setattr(recognition, "RecognitionInferencer", lambda *_, given=given: given)
        config = tmp_path / f"{task}.py"
        config.write_text(f"default_scope = '{scope}'\n")
        words = [str(config), tmp_path / "a.png", "-o", tmp_path / task]
        assert main(["infer", *map(str, words)]) == 0

    drawn = np.asarray(Image.open(tmp_path / "detection/a.png"))
    assert drawn[35, 25].tolist() == [169, 55, 55]  # the mask, over the grey
    assert drawn[35, 10].tolist() == [255, 0, 0]  # the box
    assert drawn[10, 60].tolist() == [100, 100, 100]  # too unsure to be drawn
    page = np.asarray(Image.open(tmp_path / "segmentation/a.png"))
    assert page.shape[1] > 80  # the legend
    assert page[30, 10].tolist() == [45, 45, 185]
    assert page[30, 70].tolist() == [185, 45, 45]
    text = capsys.readouterr().out
    assert "1 sky" in text
    assert "cup 75.0 %, sky 25.0 %" in text
    for task, count in [("detection", 1), ("segmentation", 2)]:
        content = json.loads((tmp_path / task / "predictions.json").read_text())
        assert len(content["annotations"]) == count


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-o", "out", "--tile", "0"], "--tile is for super-resolution"),
        (["-o", "out", "--score-threshold", "0"], "--score-threshold is for detection"),
        (["-o", "out.png"], "is a file's name; name a folder"),
        (["-o", "out", "--batch-size", "0"], "--batch-size is a number of at least 1"),
        (["-o", "out", "--token", "1,2"], "--token is for --show-super-tokens"),
        (["-o", "out", "--show-super-tokens", "--token", "1"], "--token is ROW,COL"),
    ],
)
def test_flags_of_other_tasks_are_refused(tmp_path, capsys, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.py").write_text("default_scope = 'mmpretrain'\n")
    save_picture(tmp_path / "a.png")
    assert main(["infer", "config.py", "a.png", *words]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_without_weights_is_one_sentence(tmp_path, capsys):
    save_picture(tmp_path / "a.png")
    model = "mmsuper::svit/svit-small_in1k-224.py"
    assert main(["infer", model, str(tmp_path / "a.png"), "-o", str(tmp_path / "out")]) == 2
    assert "ships without weights; name a checkpoint with --weights" in capsys.readouterr().err


def test_help_needs_no_torch():
    import subprocess
    import sys

    code = (
        "import sys; from mmsuper.cli import main\n"
        "try: main(['infer', '--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'torch', 'numpy', 'PIL', 'rich'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "--tile" in result.stdout
