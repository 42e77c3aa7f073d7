"""Clips through a network: all modes and tiles, what is skipped, and what goes wrong."""

import numpy as np
import pytest
import torch
from cheap_flow import CheapFlow

from mmsuper.apis.video import MODES, VideoInferencer
from mmsuper.errors import UserError
from mmsuper.projects.dlgsanet.network import DLGSANet
from mmsuper.projects.ttvsr.network import TTVSR


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    model = TTVSR(4, 1, frame_stride=2).eval()
    model.spynet = CheapFlow()
    return model


@pytest.fixture(scope="module")
def clip():
    return [*np.random.default_rng(0).integers(0, 256, (7, 64, 76, 3), np.uint8)]


@pytest.fixture(scope="module")
def whole(network, clip):
    """What the network itself says, (T, H, W, 3) in [0, 1]."""
    frames = torch.from_numpy(np.stack(clip)).permute(0, 3, 1, 2)[None] / 255
    with torch.inference_mode():
        return network(frames)[0].permute(0, 2, 3, 1).clamp(0, 1).numpy()


@pytest.mark.parametrize("mode", MODES)
def test_all_modes_give_the_networks_result_of_a_short_clip(mode, network, clip, whole, tmp_path):
    folder = None if mode == "bounded" else tmp_path
    enlarge = VideoInferencer(network, device="cpu", mode=mode, cache_folder=folder)
    out = np.stack([*enlarge(clip)])
    assert out.dtype == np.uint8
    assert abs(out - 255 * whole).max() <= 0.51
    assert [*enlarge([])] == []


def test_bounded_is_exact_for_twice_the_look_ahead(network, clip, whole):
    enlarge = VideoInferencer(network, device="cpu", look_ahead=4, key_frames=4)
    exact = np.stack([*enlarge(clip)])
    assert abs(exact - 255 * whole).max() <= 0.51
    enlarge = VideoInferencer(network, device="cpu", look_ahead=2, key_frames=4)
    assert (np.stack([*enlarge(clip)]) != exact).any()


def test_sixteen_bits_stay(network, clip, whole):
    enlarge = VideoInferencer(network, device="cpu")
    deep = [*enlarge(frame.astype(np.uint16) * 257 for frame in clip)]
    assert deep[0].dtype == np.uint16
    assert abs(np.stack(deep) / 65535 - whole).max() < 1e-4


@pytest.mark.parametrize(
    ("mode", "skip"),
    [("bounded", 0), ("bounded", 2), ("bounded", 5), ("stored", 2), ("recomputed", 2)],
)
def test_steps_are_foretold_and_skipped_frames_left_out(mode, skip, network, clip):
    enlarge = VideoInferencer(network, device="cpu", mode=mode, look_ahead=3, tile=72, overlap=4)
    every = [*enlarge(clip)]
    done = []
    some = [*enlarge(clip, skip, done.append)]
    assert all((a == b).all() for a, b in zip(some, every[skip:], strict=True))
    assert sum(done) == pytest.approx(enlarge.steps(len(clip), skip))
    assert not network.trunk._forward_hooks


def test_each_tile_is_a_clip_of_its_own_and_all_go_together(network, clip):
    read = []
    frames = (read.append(i) or frame for i, frame in enumerate(clip))
    tiled = VideoInferencer(network, device="cpu", look_ahead=2, tile=64, overlap=8)(frames)
    ahead, out = [], []
    for i, frame in enumerate(tiled):
        out.append(frame)
        ahead.append(len(read) - i - 1)
    assert ahead == [3, 2, 3, 2, 2, 1, 0]
    alone = VideoInferencer(network, device="cpu", look_ahead=2)
    left, right = ([*alone(f[:, part] for f in clip)] for part in (np.s_[:64], np.s_[12:]))
    for frame, one, other in zip(out, left, right, strict=True):
        assert (frame[:, : 4 * 38] == one[:, : 4 * 38]).all()
        assert (frame[:, 4 * 38 :] == other[:, 4 * 26 :]).all()


@pytest.mark.parametrize("tile", [0, 64])
def test_frames_of_another_size_are_named(tile, network, clip):
    enlarge = VideoInferencer(network, device="cpu", tile=tile, overlap=8)
    with pytest.raises(UserError, match="frame 2 has 80x64 pixels, those before 76x64"):
        [*enlarge([clip[0], np.zeros((64, 80, 3), np.uint8)])]


def test_too_little_memory_is_named(network, clip, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("no")

    enlarge = VideoInferencer(network, device="cpu")
    monkeypatch.setattr(network, "step", full)
    with pytest.raises(UserError, match="memory does not suffice for frames of 76x64 pixels"):
        [*enlarge(clip)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "fast"}, "no mode 'fast'"),
        ({"look_ahead": 0}, "at least 1"),
        ({"tile": 64, "overlap": 32}, "less than half the tile"),
        ({"model": DLGSANet(dim=12, groups=1, blocks=1)}, "DLGSANet is no network for clips"),
    ],
)
def test_bad_choices(options, message, network):
    with pytest.raises(UserError, match=message):
        VideoInferencer(**{"model": network, "device": "cpu", **options})
