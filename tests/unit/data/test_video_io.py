"""Clips, read and written: times, colours, sound, damage, and what is left behind."""

import signal
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image

from mmsuper.data import video_io
from mmsuper.errors import UserError

# 90 degrees clockwise, as telephones held upright write it.
CLOCKWISE = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)


def pictures(count, height=48, width=64):
    """A bright square on its way over coloured bands."""
    bands = np.array([[200, 40, 40], [40, 180, 60], [50, 60, 210], [220, 210, 90]], np.uint8)
    ground = np.broadcast_to(bands.repeat(width // 4, 0), (height, width // 4 * 4, 3))
    for i in range(count):
        pixels = ground.copy()
        pixels[4:12, 2 + i : 10 + i] = 250
        yield pixels


def make_video(
    path, count=10, durations=(512,), codec="libx264", audio_codec=None, matrix=None, start=0
):
    """A video; durations are in 1/12800 s and used in turn."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"crf": "4", "g": "4"})
        context = stream.codec_context
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        context.height, context.width, context.time_base = 48, 64, Fraction(1, 12800)
        if matrix is not None:
            stream.set_display_matrix(matrix)
        audio = audio_codec and container.add_stream(audio_codec, rate=48000, layout="mono")
        time = start
        for i, pixels in enumerate(pictures(count)):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = time, context.time_base
            time += durations[i % len(durations)]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio is not None:
            wave = np.sin(np.arange(48000 * time // 12800) / 20).astype(np.float32)
            tone = av.AudioFrame.from_ndarray(wave[None], format="fltp", layout="mono")
            tone.rate, tone.pts = 48000, 0
            resampler = av.AudioResampler("fltp", "mono", 48000, frame_size=audio.frame_size)
            for part in resampler.resample(tone) + resampler.resample(None):
                container.mux(audio.encode(part))
            container.mux(audio.encode(None))
    return path


def fail(error):
    raise error


def copy(source, target, stop=None, **options):
    """Write what is read; before frame ``stop``, interrupt it."""
    clip = video_io.open_clip([source])
    with video_io.video_sink(target, clip, **options) as sink:
        for number, frame in enumerate(clip.read(fail)):
            if number == stop:
                raise KeyboardInterrupt
            sink.write(frame.pixels, frame)
    return target


@dataclass
class Probe:
    """What is in a video; a stream's own values are gone when its file is closed."""

    codec: str
    seconds: float
    rate: Fraction
    matrix: int
    frames: list


def probe(path):
    with av.open(str(path)) as container:
        (stream,) = container.streams.video
        seconds = float(container.duration / 1e6)
        matrix = stream.codec_context.colorspace
        name, rate = stream.codec.canonical_name, stream.average_rate
        return Probe(name, seconds, rate, matrix, [*container.decode(stream)])


def sound(path):
    """Seconds of sound, and its packets."""
    with av.open(str(path)) as container:
        (stream,) = container.streams.audio
        seconds = float(stream.duration * stream.time_base)
        return seconds, [bytes(packet) for packet in container.demux(stream) if packet.size]


def test_the_rate_stays(tmp_path):
    found = probe(copy(make_video(tmp_path / "a.mp4", 10), tmp_path / "b.mp4"))
    assert (found.rate, len(found.frames), found.seconds) == (25, 10, 10 / 25)


def test_times_sound_and_colours_stay(tmp_path):
    source = make_video(tmp_path / "a.mp4", durations=(512, 900, 300), audio_codec="aac")
    target = copy(source, tmp_path / "b.mov", crf=1)
    before, after = probe(source), probe(target)
    assert [f.time for f in after.frames] == pytest.approx([f.time for f in before.frames])
    assert after.seconds == pytest.approx(before.seconds, abs=0.001)
    assert after.codec == "h264"
    assert after.matrix == 6  # small and untagged: as players take it
    for one, other in zip(before.frames, after.frames, strict=True):
        difference = one.to_ndarray(format="rgb24").astype(int) - other.to_ndarray(format="rgb24")
        assert np.median(abs(difference)) <= 2  # edges of colours get softer
    assert sound(source) == sound(target)


def test_frames_are_rgb_and_upright(tmp_path):
    source = make_video(tmp_path / "a.mp4", 2, matrix=CLOCKWISE)
    (first, _) = video_io.open_clip([source]).read(fail)
    expected = np.rot90(next(pictures(1)), -1)
    assert first.pixels.shape == (64, 48, 3)
    assert abs(first.pixels.astype(int) - expected).mean() < 4
    copied, _ = probe(copy(source, tmp_path / "b.mp4")).frames
    assert copied.rotation == 0
    assert (copied.width, copied.height) == (48, 64)


def test_a_video_that_begins_late_begins_at_once(tmp_path):
    source = make_video(tmp_path / "a.ts", start=12800, audio_codec="aac")
    frames = [*video_io.open_clip([source]).read(fail)]
    assert 0 <= frames[0].time < 1.1  # sound begins at 0, one second before
    assert float(frames[9].time - frames[0].time) == pytest.approx(9 / 25, abs=1e-3)


@pytest.mark.parametrize(
    ("ending", "codec", "name"),
    [("mp4", "hevc", "hevc"), ("webm", None, "vp9"), ("mkv", "av1", "av1")],
)
def test_codecs(tmp_path, ending, codec, name):
    source = make_video(tmp_path / "a.mp4", 3)
    sizes = []
    for crf in (60, None):
        target = copy(source, tmp_path / f"b.{ending}", codec=codec, crf=crf and min(crf, 51))
        found = probe(target)
        assert (found.codec, len(found.frames)) == (name, 3)
        sizes.append(target.stat().st_size)
    assert sizes[0] < sizes[1]
    assert (
        abs(found.frames[0].to_ndarray(format="rgb24").astype(int) - next(pictures(1))).mean() < 6
    )


def test_the_inputs_codec_is_kept_where_the_container_takes_it(tmp_path):
    source = copy(make_video(tmp_path / "a.mp4", 2), tmp_path / "a.webm")
    assert probe(copy(source, tmp_path / "b.mp4")).codec == "vp9"
    assert probe(copy(tmp_path / "a.mp4", tmp_path / "b.webm")).codec == "vp9"
    with pytest.raises(UserError, match="webm does not take h264"):
        copy(source, tmp_path / "c.webm", codec="h264")


def test_odd_sides_double_their_last_row_and_column(tmp_path):
    clip = video_io.open_clip([make_video(tmp_path / "a.mp4", 1)])
    with video_io.video_sink(tmp_path / "b.mp4", clip, crf=1) as sink:
        for frame in clip.read(fail):
            sink.write(frame.pixels[:47, :63], frame)
    (frame,) = probe(tmp_path / "b.mp4").frames
    pixels = frame.to_ndarray(format="rgb24").astype(int)
    assert pixels.shape == (48, 64, 3)
    assert abs(pixels[:, 63] - pixels[:, 62]).max() < 4


def test_deep_colour_stays_deep(tmp_path):
    ramp = np.linspace(20000, 24000, 64 * 48, dtype=np.uint16).reshape(48, 64, 1).repeat(3, 2)
    clip = video_io.open_clip([make_video(tmp_path / "a.mp4", 1)])
    clip.style = video_io.Style(Fraction(25), Fraction(1, 25), "hevc", deep=True)
    with video_io.video_sink(tmp_path / "b.mp4", clip, crf=1, audio=False) as sink:
        sink.write(ramp, video_io.Frame(ramp, "1", Fraction(0), Fraction(1, 25)))
    (frame,) = video_io.open_clip([tmp_path / "b.mp4"]).read(fail)
    assert frame.pixels.dtype == np.uint16
    assert abs(frame.pixels.astype(int) - ramp).max() < 256  # one level of 8 bits


@pytest.mark.parametrize("codec", ["libx264", "mjpeg"])
def test_a_damaged_frame_is_named_and_left_out(tmp_path, codec):
    path = make_video(tmp_path / "a.mkv", codec=codec)
    with av.open(str(path)) as container:
        (place, size) = [(p.pos, p.size) for p in container.demux(video=0) if p.size][5]
    content = bytearray(path.read_bytes())
    content[place + 12 : place + size] = bytes(size - 12)
    path.write_bytes(content)
    errors = []
    frames = [*video_io.open_clip([path]).read(errors.append)]
    assert len(frames) == 9
    (error,) = errors
    assert "a.mkv: frame 6 (at 0." in str(error)
    assert "cannot be decoded" in str(error)
    with pytest.raises(UserError, match="frame 6"):
        copy(path, tmp_path / "b.mp4")
    assert 0 < len(probe(tmp_path / "b.mp4").frames) < 9


def test_interrupted_video_plays_and_its_sound_ends_with_it(tmp_path):
    source = make_video(tmp_path / "a.mp4", 50, audio_codec="aac")
    with pytest.raises(KeyboardInterrupt):
        copy(source, tmp_path / "b.mp4", stop=20)
    assert len(probe(tmp_path / "b.mp4").frames) == 20
    assert sound(tmp_path / "b.mp4")[0] == pytest.approx(20 / 25, abs=0.05)
    with pytest.raises(KeyboardInterrupt):
        copy(source, tmp_path / "c.mp4", stop=0)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.mp4", "b.mp4"]


def test_a_second_interruption_does_not_spoil_the_file(tmp_path, monkeypatch, ctrl_c):
    source = make_video(tmp_path / "a.mp4")
    finish = video_io.VideoSink.finish

    def interrupted(sink, whole):
        signal.raise_signal(signal.SIGINT)
        finish(sink, whole)

    monkeypatch.setattr(video_io.VideoSink, "finish", interrupted)
    with pytest.raises(KeyboardInterrupt):
        copy(source, tmp_path / "b.mp4", stop=4)
    assert len(probe(tmp_path / "b.mp4").frames) == 4
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_sound_can_be_left_out_or_is_refused(tmp_path):
    source = make_video(tmp_path / "a.mp4", 2, audio_codec="aac")
    with pytest.raises(UserError, match=r"cannot hold the sound .* which is aac"):
        copy(source, tmp_path / "b.webm")
    target = copy(source, tmp_path / "b.webm", audio=False)
    with av.open(str(target)) as container:
        assert not container.streams.audio


def test_pictures_are_taken_by_the_value_of_their_numbers(tmp_path):
    for number in (1, 2, 10):
        Image.new("L", (6, 4), number).save(tmp_path / f"f{number}.png")
    for given in ([tmp_path], [tmp_path / "f*.png"], [tmp_path / f"f{n}.png" for n in (1, 2, 10)]):
        clip = video_io.open_clip(given, Fraction(10))
        frames = [*clip.read(fail)]
        assert [f.name for f in frames] == [*clip.names()] == ["f1", "f2", "f10"]
        assert [f.pixels[0, 0, 2] for f in frames] == [1, 2, 10]
        assert [f.time for f in frames] == [0, Fraction(1, 10), Fraction(2, 10)]


def test_an_unreadable_picture_keeps_its_place_in_time(tmp_path):
    for number in (1, 3):
        Image.new("RGB", (6, 4)).save(tmp_path / f"{number}.png")
    (tmp_path / "2.png").write_text("no picture")
    errors = []
    frames = [*video_io.open_clip([tmp_path], Fraction(10)).read(errors.append)]
    assert [f.time for f in frames] == [0, Fraction(2, 10)]
    assert "2.png is not a picture" in str(errors[0])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["missing.mp4"], "no file or folder at missing.mp4"),
        (["nothing*.png"], "no file or folder at nothing"),
        (["empty"], "no pictures in empty"),
        (["text.mp4"], "text.mp4 cannot be read as a video"),
        (["tone.m4a"], "tone.m4a has no video stream"),
        (["a.png", "tone.m4a"], "one clip at a time"),
        (["a.png", "empty/../a.png"], "two frames are called a"),
    ],
)
def test_what_is_no_clip(tmp_path, monkeypatch, given, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.mp4").write_text("no video")
    Image.new("RGB", (6, 4)).save(tmp_path / "a.png")
    with av.open("tone.m4a", "w", format="mp4") as container:
        audio = container.add_stream("aac", rate=48000, layout="mono")
        tone = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        tone.rate = 48000
        container.mux(audio.encode(tone))
        container.mux(audio.encode(None))
    with pytest.raises(UserError, match=message):
        video_io.open_clip(given)


def test_pictures_have_a_rate_and_videos_their_own(tmp_path):
    with pytest.raises(UserError, match="a video keeps its own"):
        video_io.open_clip([make_video(tmp_path / "a.mp4", 1)], Fraction(10))
