"""Restoration inference: modes, tiles, seams and the memory bound."""

import numpy as np
import pytest
import torch
from torch import nn

from mmsuper import parity
from mmsuper.apis import restoration
from mmsuper.apis.restoration import RestorationInferencer, split
from mmsuper.data.image_io import Picture
from mmsuper.data.resize import imresize
from mmsuper.errors import UserError
from mmsuper.projects.dlgsanet.network import DLGSANet

RADIUS = 3  # receptive field of Upsampler on each side, in input pixels


class Upsampler(nn.Module):
    """Two convolutions and a pixel shuffle; remembers the sizes that it saw."""

    def __init__(self, scale=2):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(
            nn.Conv2d(3, 8, 5, padding=2),
            nn.ReLU(),
            nn.Conv2d(8, 3 * scale**2, 3, padding=1),
            nn.PixelShuffle(scale),
        )
        self.seen = []

    def forward(self, x):
        self.seen.append(tuple(x.shape))
        return self.body(x) + nn.functional.interpolate(x, scale_factor=2)


class Doubler(nn.Module):
    """Repeats pixels: what becomes of every value is known."""

    def forward(self, x):
        return nn.functional.interpolate(x, scale_factor=2)


def make_pixels(*shape, dtype=np.uint8):
    levels = np.iinfo(dtype).max
    return np.random.default_rng(0).integers(0, levels, shape, dtype, endpoint=True)


def doubled(pixels):
    return pixels.repeat(2, axis=0).repeat(2, axis=1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (1, 1), (1, 1, 3), (1, 40, 3)])
def test_arrays_keep_type_and_channels(shape, dtype):
    pixels = make_pixels(*shape, dtype=dtype)
    result = RestorationInferencer(Doubler())(pixels)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, doubled(pixels))


@pytest.mark.parametrize("channels", [2, 4])
def test_alpha_is_enlarged_by_bicubic_interpolation(channels):
    pixels = make_pixels(6, 9, channels)
    result = RestorationInferencer(Doubler())(pixels)
    np.testing.assert_array_equal(result[..., :-1], doubled(pixels[..., :-1]))
    np.testing.assert_array_equal(result[..., -1], imresize(pixels[..., -1], 2))


def test_cmyk_is_seen_as_light_and_black_apart():
    class Brighten(nn.Module):
        def forward(self, x):
            return nn.functional.interpolate(x + 0.2, scale_factor=2)

    ink = np.full((3, 4, 4), 102, np.uint8)  # 0.4 of each ink: brighter is less ink
    result = RestorationInferencer(Brighten()).restore(Picture(ink, "CMYK", b"profile"))
    assert (result.mode, result.icc_profile) == ("CMYK", b"profile")
    np.testing.assert_array_equal(result.pixels, np.full((6, 8, 4), 51))


@pytest.mark.parametrize("height", [1, 19, 20, 21, 53, 200])
@pytest.mark.parametrize("overlap", [0, 3, 9])
def test_tiles_cover_a_picture_once_and_keep_their_distance(height, overlap):
    width = 47
    times = np.zeros((height, width), int)
    for tile in split(height, width, 20, overlap):
        times[tile.kept] += 1
        for seen, kept, length in zip(tile.seen, tile.kept, (height, width), strict=True):
            assert seen.stop - seen.start == min(20, length)
            assert seen.start == 0 or kept.start - seen.start >= overlap
            assert seen.stop == length or seen.stop - kept.stop >= overlap
    assert (times == 1).all()


def test_tiles_that_overlap_by_the_receptive_field_have_no_seam():
    pixels = make_pixels(61, 45, 3, dtype=np.uint16)
    whole = RestorationInferencer(Upsampler(), tile=0)(pixels).astype(int)
    tiled = RestorationInferencer(Upsampler(), tile=16, overlap=RADIUS)(pixels).astype(int)
    assert abs(tiled - whole).max() <= 1  # of 65535: the rounding of one level

    seams = RestorationInferencer(Upsampler(), tile=16, overlap=RADIUS - 1)(pixels).astype(int)
    assert abs(seams - whole).max() > 100  # so the test above can fail


def test_network_never_sees_more_than_a_tile():
    network = Upsampler()
    enlarge = RestorationInferencer(network, tile=16, overlap=4)
    network.seen.clear()
    steps = []
    enlarge(make_pixels(100, 70, 4), lambda done, total: steps.append((done, total)))
    assert len(network.seen) == 12 * 8
    assert set(network.seen) == {(1, 3, 16, 16)}
    assert steps == [(i + 1, 96) for i in range(96)]


def test_tiles_are_used_by_themselves_when_the_picture_is_large(monkeypatch):
    monkeypatch.setattr(restoration, "DEFAULT_TILE", 24)
    network = Upsampler()
    enlarge = RestorationInferencer(network, overlap=2)
    network.seen.clear()
    enlarge(make_pixels(12, 48, 3))  # no more pixels than one tile has
    assert network.seen == [(1, 3, 12, 48)]
    network.seen.clear()
    enlarge(make_pixels(13, 48, 3))
    assert set(network.seen) == {(1, 3, 13, 24)}


def test_bicubic_in_tiles_is_bicubic_whole(monkeypatch):
    monkeypatch.setattr(restoration, "DEFAULT_TILE", 11)
    picture = Picture(make_pixels(30, 41, 3), "RGB")
    np.testing.assert_array_equal(
        restoration.bicubic(picture, 3).pixels, imresize(picture.pixels, 3)
    )


@pytest.fixture(scope="module")
def dlgsanet():
    """DLGSANet with filled weights of the parity cases, small windows so that tests are fast."""
    network = DLGSANet(upscale=2, dim=12, groups=1, blocks=1, tlc_kernel=8)
    layout = {key: {"shape": list(value.shape)} for key, value in network.state_dict().items()}
    state = parity.fill.fill_state_dict(layout)
    network.load_state_dict({key: torch.from_numpy(value) for key, value in state.items()})
    return network


def test_dlgsanet_in_tiles_equals_dlgsanet_whole(dlgsanet):
    """Windows stay where they lie in the whole picture, whatever the tiles are."""
    pixels = make_pixels(37, 101, 3, dtype=np.uint16)
    whole = RestorationInferencer(dlgsanet, tile=0)(pixels) / 65535
    tiled = RestorationInferencer(dlgsanet, tile=64, overlap=24)(pixels) / 65535
    assert abs(tiled - whole).max() < 1e-4

    dlgsanet.part_of, kept = None, dlgsanet.part_of
    try:
        astray = RestorationInferencer(dlgsanet, tile=64, overlap=24)(pixels) / 65535
    finally:
        dlgsanet.part_of = kept
    assert abs(astray - whole).max() > 1e-3  # so the test above can fail


def test_part_of_is_undone_even_when_the_network_fails(dlgsanet):
    image = torch.rand(1, 3, 20, 30)
    with torch.inference_mode():
        before = dlgsanet.eval()(image)
        with pytest.raises(ZeroDivisionError), dlgsanet.part_of(3, 5, 60, 60):
            raise ZeroDivisionError
        assert torch.equal(dlgsanet(image), before)


def test_files_and_many(tmp_path):
    from PIL import Image

    pixels = make_pixels(4, 5, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    enlarge = RestorationInferencer(Doubler())
    results = enlarge.many([tmp_path / "a.png", str(tmp_path / "a.png"), pixels])
    for result in results:
        np.testing.assert_array_equal(result, doubled(pixels))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile": 64, "overlap": 32}, "less than half the tile"),
        ({"tile": -1}, "not negative"),
        ({"overlap": -1}, "not negative"),
        ({"device": "abacus"}, "no device 'abacus' here; choose from: auto"),
    ],
)
def test_bad_choices_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        RestorationInferencer(Doubler(), **options)


def test_running_out_of_memory_is_one_sentence():
    class Greedy(Doubler):
        def forward(self, x):
            if x.shape[-1] > 8:
                torch.empty(1 << 60)
            return super().forward(x)

    with pytest.raises(UserError, match=r"does not suffice for 9x10 pixels.*--tile"):
        RestorationInferencer(Greedy())(make_pixels(10, 9, 3))


def test_load_network_by_config_and_checkpoint(tmp_path):
    from mmsuper.checkpoint import save

    config = tmp_path / "small.py"
    options = dict(upscale=2, dim=12, groups=1, blocks=1)
    config.write_text(f"model = dict(generator=dict(type='mmsuper.DLGSANet', **{options}))\n")
    network = DLGSANet(**options)
    save(tmp_path / "small.safetensors", network.state_dict())
    loaded = restoration.load_network(config, tmp_path / "small.safetensors")
    for key, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)
    with pytest.raises(UserError, match="without weights"):
        restoration.load_network(config)


def test_load_network_takes_its_part_of_a_training_checkpoint(tmp_path):
    config = tmp_path / "trained.py"
    options = dict(upscale=2, dim=12, groups=1, blocks=1)
    config.write_text(f"model = dict(generator=dict(type='mmsuper.DLGSANet', **{options}))\n")
    network = DLGSANet(**options)
    whole = {f"generator.{key}": value for key, value in network.state_dict().items()}
    torch.save({"state_dict": {"step_counter": torch.tensor(1), **whole}}, tmp_path / "iter_1.pth")
    loaded = restoration.load_network(config, tmp_path / "iter_1.pth")
    for key, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)

    whole.popitem()
    torch.save({"state_dict": whole}, tmp_path / "less.pth")
    with pytest.raises(UserError, match="1 parameters are missing"):
        restoration.load_network(config, tmp_path / "less.pth")


def test_load_network_refuses_what_is_not_ours(tmp_path):
    config = tmp_path / "foreign.py"
    config.write_text("model = dict(generator=dict(type='mmsuper.Nonesuch'))\n")
    with pytest.raises(UserError, match=r"mmsuper\.Nonesuch is no network of mmsuper"):
        restoration.load_network(config, "weights.pth")
