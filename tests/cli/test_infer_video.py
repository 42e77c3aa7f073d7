"""The verb ``infer`` on clips: from files to files, interrupted, resumed, refused."""

import signal
from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from cheap_flow import CheapFlow
from PIL import Image

from mmsuper import checkpoint
from mmsuper.apis import inferencer
from mmsuper.apis.video import VideoInferencer
from mmsuper.cli import main
from mmsuper.projects.ttvsr import network as ttvsr

CONFIG = "model = dict(generator=dict(type='mmsuper.TTVSR', mid_channels=4, num_blocks=1))\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Words of a command line that name a small network with random weights."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "small_video.py").write_text(CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ttvsr, "SPyNet", CheapFlow)
        torch.manual_seed(0)
        state = ttvsr.TTVSR(mid_channels=4, num_blocks=1).state_dict()
        checkpoint.save(folder / "small.safetensors", state)
        words = ["--weights", folder / "small.safetensors", "--device", "cpu"]
        yield [folder / "small_video.py", *words]


@pytest.fixture
def clip(tmp_path):
    """A folder of 7 frames."""
    folder = tmp_path / "clip"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(64, 192, (6, 8, 3), np.uint8)
    pixels = pixels.repeat(8, 0).repeat(8, 1)
    for i in range(7):
        Image.fromarray(np.roll(pixels, i, 1)).save(folder / f"{i}.png")
    return folder


@pytest.fixture
def video(tmp_path, clip):
    """The same as a video with a tone."""
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30000, 1001))
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        audio = container.add_stream("aac", rate=48000, layout="mono")
        for i in range(7):
            image = Image.open(clip / f"{i}.png")
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode(None))
        wave = np.sin(np.arange(11 * 1024) / 20).astype(np.float32)
        for i in range(11):
            part = wave[None, 1024 * i : 1024 * (i + 1)]
            tone = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), "fltp", "mono")
            tone.rate, tone.pts = 48000, 1024 * i
            container.mux(audio.encode(tone))
        container.mux(audio.encode(None))
    return path


def infer(model, *words):
    config, *rest = model
    return main(["infer", *map(str, (config, *words, *rest))])


def files_in(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def frames_of(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.fixture
def interrupted(monkeypatch, ctrl_c):
    """Ctrl-C at a step of the network."""

    def at(number):
        step, count = ttvsr.TTVSR.step, 0

        def counted(*arguments):
            nonlocal count
            count += 1
            if count == number:
                signal.raise_signal(signal.SIGINT)
            return step(*arguments)

        monkeypatch.setattr(ttvsr.TTVSR, "step", counted)

    yield at
    monkeypatch.undo()


def test_video_to_video(tmp_path, model, video, capsys):
    out = tmp_path / "out" / "b.mp4"
    assert infer(model, video, "-o", out, "--compare", "--crf", 1) == 0
    assert files_in(out.parent) == ["b.mp4", "b_compare.mp4"]
    with av.open(str(out)) as container:
        assert container.streams.video[0].average_rate == Fraction(30000, 1001)
        assert container.streams.audio[0].codec.name == "aac"
    frames, pages = frames_of(out), frames_of(out.with_stem("b_compare"))
    assert [frame.shape for frame in frames] == 7 * [(192, 256, 3)]
    assert pages[0].shape[1] > 2 * 256
    assert "256x192  7 frames done" in capsys.readouterr().out
    enlarged = [*inferencer(model[0], model[2], "cpu")(frames_of(video))]
    for frame, expected in zip(frames, enlarged, strict=True):
        # The video has colours at half the resolution.
        difference = (frame.astype(float) - expected).reshape(24, 8, 32, 8, 3).mean((1, 3))
        assert np.median(abs(difference)) < 2
    assert infer(model, video, "-o", out) == 2
    assert "b.mp4 is there already; --overwrite replaces it" in capsys.readouterr().err


def test_folder_to_folder_and_back_to_where_it_was(tmp_path, model, clip, interrupted, capsys):
    options = ["--look-ahead", 2, "--key-frames", 1, "--tile", 60, "--tile-overlap", 8]
    assert infer(model, clip, "-o", tmp_path / "all", "--compare", *options) == 0
    names = [f"{i}.png" for i in range(7)]
    assert files_in(tmp_path / "all") == [*names, *(f"compare/{name}" for name in names)]
    assert Image.open(tmp_path / "all" / "3.png").size == (256, 192)

    out = tmp_path / "some"
    interrupted(at := 25)
    assert infer(model, clip, "-o", out, *options) == 130
    done = len(files_in(out))
    assert 0 < done < 7, at
    assert f"stopped after {done} frames, which are there" in capsys.readouterr().out
    assert infer(model, clip, "-o", out, *options) == 2
    assert "--resume goes on after them" in capsys.readouterr().err
    assert infer(model, clip, "-o", out, *options, "--resume") == 0
    assert f"{7 - done} frames done, {done} were there" in capsys.readouterr().out
    for name in names:
        assert (out / name).read_bytes() == (tmp_path / "all" / name).read_bytes()
    assert infer(model, clip, "-o", out, *options, "--resume") == 0
    assert "0 frames done, all 7 are there" in capsys.readouterr().out


def test_interrupted_video_plays(tmp_path, model, video, interrupted, capsys):
    interrupted(12)
    out = tmp_path / "out"
    assert infer(model, video, "-o", out / "b.mkv", "--look-ahead", 2, "--compare") == 130
    count = len(frames_of(out / "b.mkv"))
    assert 0 < count < 7
    assert len(frames_of(out / "b_compare.mkv")) == count
    assert f"stopped after {count} frames" in capsys.readouterr().out
    assert len(files_in(out)) == 2


def test_interrupted_before_the_first_frame_leaves_nothing(tmp_path, model, video, interrupted):
    interrupted(2)
    assert infer(model, video, "-o", tmp_path / "out" / "b.mkv") == 130
    assert files_in(tmp_path / "out") == []


def test_unreadable_frames_are_named_and_left_out(tmp_path, model, clip, capsys):
    (clip / "5.png").write_text("no picture")
    assert infer(model, clip, "-o", tmp_path / "out") == 1
    captured = capsys.readouterr()
    assert "5.png is not a picture" in " ".join(captured.err.split())
    assert "6 frames done, 1 could not be decoded" in captured.out
    assert "5.png" not in files_in(tmp_path / "out")
    words = ["--strict", "--look-ahead", 1, "--frame-rate", 10]
    assert infer(model, clip, "-o", tmp_path / "b.mp4", *words) == 1
    assert "5.png is not a picture" in capsys.readouterr().err
    assert 0 < len(frames_of(tmp_path / "b.mp4")) < 5


def test_without_a_frame_there_is_no_file(tmp_path, model, capsys):
    (tmp_path / "a.png").write_text("no picture")
    assert infer(model, tmp_path / "a.png", "-o", tmp_path / "out" / "b.mp4") == 2
    assert "could be decoded" in " ".join(capsys.readouterr().err.split())
    assert files_in(tmp_path / "out") == []


def test_a_picture_is_a_clip_of_one_frame(tmp_path, model, clip):
    assert (
        infer(
            model,
            clip / "3.png",
            "-o",
            tmp_path / "out",
            "--mode",
            "recomputed",
            "--cache-folder",
            tmp_path / "cache",
        )
        == 0
    )
    assert files_in(tmp_path / "out") == ["3.png"]
    assert files_in(tmp_path / "cache") == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["missing.mp4", "-o", "b.mp4"], "no file or folder at missing.mp4"),
        (["a.mp4", "-o", "a.mp4", "--overwrite"], "would replace the input a.mp4"),
        (["clip", "-o", "clip"], "would replace the input clip/0.png"),
        (["clip", "-o", "b.avi"], "name a video (.mp4, .m4v, .mov, .mkv, .webm), or a folder"),
        (["clip/0.png", "-o", "b.png"], "b.png: name a video"),
        (["clip", "-o", "out", "--crf", "0"], "--crf is for a video"),
        (["clip", "-o", "b.mp4", "--crf", "52"], "of h264 is from 0 to 51, not 52"),
        (["clip", "-o", "out", "--tile-overlap", "8"], "--tile-overlap is for --tile"),
        (["clip", "-o", "b.mp4", "--resume"], "--resume is for a folder"),
        (["clip", "-o", "out", "--resume", "--overwrite"], "--overwrite does not; choose"),
        (["clip", "-o", "out", "--cache-folder", "c"], "is for --mode stored and recomputed"),
        (["clip", "-o", "out", "--mode", "stored", "--look-ahead", "3"], "is for --mode bounded"),
        (["clip", "-o", "b.mp4", "--frame-rate", "fast"], "such as 25 or 30000/1001, not 'fast'"),
        (["a.mp4", "-o", "b.mp4", "--frame-rate", "25"], "a video keeps its own"),
        (["a.mp4", "-o", "b.webm"], "cannot hold the sound of a.mp4, which is aac"),
        (["clip", "-o", "out", "--gt", "clip"], "--gt is for super-resolution;"),
        (["clip", "-o", "a.mp4/out"], "cannot write to a.mp4/out"),
        (["uneven", "-o", "b.mp4"], "frame 2 has 9x9 pixels, those before 8x8"),
        (["clip", "-o", "out", "--tile", "64"], "less than half the tile"),
    ],
)
def test_bad_usage_is_one_sentence_and_leaves_nothing(
    tmp_path, model, video, capsys, monkeypatch, words, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "uneven").mkdir()
    for side in (8, 9):
        Image.new("RGB", (side, side)).save(tmp_path / "uneven" / f"{side}.png")
    before = files_in(tmp_path)
    assert infer(model, *words) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert files_in(tmp_path) == before


def test_a_video_is_nothing_for_models_of_pictures(video, capsys):
    assert main(["infer", "dlgsanet", str(video), "-o", "out"]) == 2
    assert "is a video, and dlgsanet is for super-resolution of pictures" in capsys.readouterr().err


def test_inferencer_finds_the_network_for_clips(model):
    assert isinstance(inferencer(model[0], model[2], "cpu"), VideoInferencer)
