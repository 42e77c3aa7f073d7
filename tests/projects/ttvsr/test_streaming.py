"""Frames in, frames out: the exact ways equal the whole clip, the bounded one stays bounded."""

from pathlib import Path

import pytest
import torch
from cheap_flow import CheapFlow

from mmsuper.errors import UserError
from mmsuper.parity import find_cases
from mmsuper.projects.ttvsr import parity, streaming
from mmsuper.projects.ttvsr.network import TTVSR

CASES = Path(__file__).parents[2] / "parity" / "cases" / "ttvsr"


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    model = TTVSR(4, 1, frame_stride=2).eval()
    model.spynet = CheapFlow()
    return model


@pytest.fixture(scope="module")
def clip():
    return torch.rand(7, 1, 3, 64, 68, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def whole(network, clip):
    with torch.inference_mode():
        return network(clip.transpose(0, 1)).transpose(0, 1)


def enlarge(way, *arguments, **options):
    return torch.stack([*way(*arguments, **options)])


@pytest.mark.parametrize("on_disk", [False, True], ids=["host", "disk"])
@pytest.mark.parametrize("way", [streaming.stored, streaming.recomputed])
def test_exact_ways_give_the_whole_clips_result(way, on_disk, network, clip, whole, tmp_path):
    out = enlarge(way, network, iter(clip), **({"folder": tmp_path} if on_disk else {}))
    torch.testing.assert_close(out, whole, rtol=0, atol=1e-5)
    assert list(tmp_path.iterdir()) == []


def test_exact_ways_give_the_authors_result():
    (case,) = find_cases([CASES / "blocks2_5frames_66x77"])
    network, clip = parity.given(case)
    out = enlarge(streaming.recomputed, network, clip.transpose(0, 1)).transpose(0, 1)
    error = (out[..., ::3, ::3] - torch.from_numpy(case.expected["output_s3"])).abs().max()
    assert error <= case.tolerance("output_s3").absolute


def test_bounded_way_is_exact_where_it_sees_all(network, clip, whole):
    out = enlarge(streaming.bounded, network, clip, look_ahead=7)
    torch.testing.assert_close(out, whole, rtol=0, atol=1e-5)
    out = enlarge(streaming.bounded, network, clip, look_ahead=2, key_frames=1)
    assert 1e-5 < (out - whole).abs().max() < 0.1


def test_where_the_bounded_way_remembers_changes_nothing(network, clip):
    options = {"look_ahead": 3, "key_frames": 2}
    here = enlarge(streaming.bounded, network, clip, **options)
    away = enlarge(streaming.bounded, network, clip, **options, off_device=True)
    assert torch.equal(here, away)


def test_bounded_way_reads_ahead_no_further_than_it_says(network, clip, monkeypatch):
    read, windows, banks = [], [], []
    frames = (read.append(i) or frame for i, frame in enumerate(clip))
    step = network.step

    def watch(memory, *arguments):
        state = step(memory, *arguments)
        banks.append(len(memory.bank))
        return state

    monkeypatch.setattr(network, "step", watch)
    for i, _ in enumerate(streaming.bounded(network, frames, look_ahead=2, key_frames=2)):
        windows.append(len(read) - i - 1)
    assert windows == [3, 2, 3, 2, 2, 1, 0]
    assert max(banks) == 2


@pytest.mark.parametrize("way", [streaming.stored, streaming.recomputed, streaming.bounded])
def test_short_small_and_empty_clips(way, network):
    small = torch.rand(1, 1, 3, 9, 70)
    with torch.inference_mode():
        expected = network(small)
    torch.testing.assert_close(enlarge(way, network, small), expected, rtol=0, atol=1e-5)
    assert list(way(network, [])) == []


@pytest.mark.parametrize("way", [streaming.stored, streaming.recomputed, streaming.bounded])
def test_frames_of_another_size_are_named(way, network, clip):
    with pytest.raises(UserError, match=r"frame 2 is of shape \(1, 3, 64, 64\)"):
        list(way(network, [clip[0], clip[1, ..., :64]]))


@pytest.mark.parametrize("skip", [2, 5, 6, 7])
@pytest.mark.parametrize("way", [streaming.stored, streaming.recomputed, streaming.bounded])
def test_skipped_frames_change_nothing_for_later_ones(way, skip, network, clip):
    options = {"look_ahead": 3, "key_frames": 2} if way is streaming.bounded else {}
    every = [*way(network, clip, **options)]
    some = [*way(network, clip, **options, skip=skip)]
    assert len(some) == 7 - skip
    assert all(torch.equal(a, b) for a, b in zip(some, every[skip:], strict=True))


def test_bounds_must_be_positive(network, clip):
    with pytest.raises(UserError, match="at least 1"):
        list(streaming.bounded(network, clip, look_ahead=0))


def test_nothing_learns_while_streaming(network, clip):
    assert not any(frame.requires_grad for frame in streaming.stored(network, clip[:2]))
