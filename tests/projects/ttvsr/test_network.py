"""The TTVSR network: its parts by their definitions, its shapes, gradients and number types."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmsuper import checkpoint
from mmsuper.errors import UserError
from mmsuper.projects.ttvsr import network
from mmsuper.projects.ttvsr.convert import official_names, to_official
from mmsuper.projects.ttvsr.network import (
    TTVSR,
    KeyFrame,
    SPyNet,
    TokenGrid,
    TrajectoryAttention,
    shrinking,
    warp,
)

SMALL = {"mid_channels": 4, "num_blocks": 1}


class CheapFlow(nn.Module):
    """Stands in for SPyNet, which untrained finds no motion, and takes most of the time."""

    def forward(self, reference, support):
        return 30 * F.avg_pool2d(reference - support, 9, 1, 4)[:, :2]


def small(cheap_flow=False, **arguments):
    torch.manual_seed(0)
    model = TTVSR(**SMALL, **arguments)
    if cheap_flow:
        model.spynet = CheapFlow()
    return model


def grid(n=1, height=18, width=13):
    return TokenGrid(n, height, width, 4, torch.device("cpu"))


# ------------------------------------------------------------------------------------------
# Motion


def test_warp_reads_where_flow_points_and_the_border_beyond():
    x = torch.arange(12.0).view(1, 1, 3, 4)
    flow = torch.zeros(1, 2, 3, 4)
    flow[:, 0], flow[:, 1] = 1, -1
    rows, columns = torch.tensor([0, 0, 1]), torch.tensor([1, 2, 3, 3])
    torch.testing.assert_close(warp(x, flow), x[:, :, rows][..., columns])
    torch.testing.assert_close(warp(x, 0 * flow + 0.5)[0, 0, 0, 0], x[0, 0, :2, :2].mean())


def test_warp_finds_single_pixels_of_wide_maps_in_half_precision():
    """Coordinates of bfloat16 would step by 8 pixels there."""
    x = torch.zeros(1, 1, 2, 2000, dtype=torch.bfloat16)
    x[..., 1901] = 1
    flow = torch.zeros(1, 2, 2, 2000)
    flow[:, 0] = 2
    assert warp(x, flow)[0, 0, 0].nonzero().flatten().tolist() == [1899]


def test_flow_is_that_of_mmagic():
    """Ours is a copy in behaviour, to spare the network a dependency."""
    from mmsuper.compat import mmagic

    mmagic.apply()
    mmagic.load_editor("BasicVSR")
    from mmagic.models.editors.basicvsr.basicvsr_net import SPyNet as Theirs

    ours, theirs = SPyNet(), Theirs(None)
    names = official_names(ours)
    weights = {names[key]: value for key, value in ours.state_dict().items()}
    assert theirs.load_state_dict(weights, strict=False).missing_keys == ["mean", "std"]
    one, other = torch.rand(2, 1, 3, 33, 70)
    with torch.inference_mode():
        torch.testing.assert_close(ours(one, other), theirs(one, other), rtol=0, atol=1e-6)


# ------------------------------------------------------------------------------------------
# Tokens and trajectories


def test_tokens_are_blocks_and_what_is_beyond_them_is_lost():
    x = torch.rand(2, 3, 10, 9)
    tokens = grid(2, 10, 9).split(x)
    assert tokens.shape == (2 * 2 * 2, 4 * 4 * 3)
    expected = x[1, :, 4:8, 0:4].permute(1, 2, 0).flatten()  # sample 1, row 1, column 0
    torch.testing.assert_close(tokens[4 + 2], expected)
    whole = x.clone()
    whole[..., 8:, :], whole[..., 8:] = 0, 0
    torch.testing.assert_close(grid(2, 10, 9).join(tokens), whole)


def test_origins_are_nearest_samples_of_a_grid():
    tokens = grid(2, 22, 30)
    flow = 25 * torch.randn(2, 2, 22, 30)
    rows, columns = torch.meshgrid(torch.arange(5.0), torch.arange(7.0), indexing="ij")
    at = torch.stack([columns, rows], -1) + (F.adaptive_avg_pool2d(flow, (5, 7)) / 4).permute(
        0, 2, 3, 1
    )
    at = 2 * at / torch.tensor([6, 4]) - 1
    numbers = torch.arange(70.0).view(2, 1, 5, 7)
    expected = F.grid_sample(numbers, at, "nearest", "border", align_corners=True)
    assert tokens.origins(flow).tolist() == expected.flatten().tolist()


def test_flow_that_overflowed_stays_inside():
    flow = torch.full((1, 2, 8, 8), torch.nan)
    flow[..., 4:] = torch.inf
    assert set(grid(1, 8, 8).origins(flow).tolist()) <= {0, 1, 2, 3}


def coarser(x, window):
    """A coarser scale as the authors have it: windows side by side, pooled to the size."""
    height, width = x.shape[-2:]
    columns = F.unfold(x, window, padding=(window - 4) // 2, stride=4)
    size = (height * window // 4, width * window // 4)
    mosaic = F.fold(columns, size, window, stride=window)
    return F.adaptive_avg_pool2d(mosaic, (height, width))


@pytest.mark.parametrize("size", [(8, 12), (10, 14), (17, 23), (66, 77)])
def test_three_scales_of_a_token(size):
    """The last sizes are odd, where windows of the pooling drift."""
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    tokens = grid(2, *size)
    numbers = tokens.identity().flip(0)
    expected = [tokens.split(scale) for scale in (x, coarser(x, 6), coarser(x, 8))]
    expected = torch.stack([scale.view(-1, 16, 3) for scale in expected], 2).flatten(1)
    # The weights of the means are float32, off by up to 2**-25 each; values are below 6.
    atol = 6 * 2**-24
    torch.testing.assert_close(tokens.read(x, numbers), expected[numbers], rtol=0, atol=atol)


@pytest.mark.parametrize("length", [4, 7, 77, 78, 1081])
def test_windows_hold_all_that_is_pooled(length):
    """Every mean has weight 1, less what is outside the map."""
    inner = shrinking(length, 4)[1:-1].sum(-1)
    torch.testing.assert_close(inner, torch.ones_like(inner))


# ------------------------------------------------------------------------------------------
# Attention


def filled_memory(tokens, channels, keys, dtype=torch.float64):
    """A memory of some key frames with features that are no token's alone."""
    memory = network.Memory(tokens)
    for _ in range(keys):
        feature = torch.randn(tokens.n, channels, tokens.height, tokens.width, dtype=dtype)
        unit = F.normalize(tokens.split(feature), dim=1).requires_grad_()
        memory.remember(KeyFrame(tokens, unit, torch.randn_like(feature).requires_grad_()))
    numbers = torch.randint(0, tokens.rows * tokens.columns, memory.locations.shape)
    samples = torch.arange(tokens.n).repeat_interleave(tokens.rows * tokens.columns)
    memory.locations = samples * tokens.rows * tokens.columns + numbers
    return memory


def attend_plainly(attention, queries, carried, memory):
    """The attention as its definition reads: all key frames sampled in full."""
    keys = torch.stack([k.keys[i] for k, i in zip(memory.bank, memory.locations, strict=True)])
    values = torch.stack(
        [memory.grid.read(k.state, i) for k, i in zip(memory.bank, memory.locations, strict=True)]
    )
    similarity, winner = (queries * keys).sum(-1).max(0)
    best = values.gather(0, winner[None, :, None].expand(1, -1, values.shape[-1]))[0]
    n, rows, columns = memory.grid.n, memory.grid.rows, memory.grid.columns
    weight = similarity.view(n, 1, rows, columns).repeat_interleave(4, 2).repeat_interleave(4, 3)
    weight = F.pad(weight, (0, memory.grid.width - 4 * columns, 0, memory.grid.height - 4 * rows))
    return attention.fusion(memory.grid.join(best)) * weight + carried


@pytest.mark.parametrize("chunk", [3, 128])
def test_attention_equals_its_definition(chunk, monkeypatch):
    monkeypatch.setattr(network, "TOKENS_CPU", chunk)
    torch.manual_seed(0)
    tokens = grid(2)
    memory = filled_memory(tokens, 4, 5)
    attention = TrajectoryAttention(4).double()
    queries = F.normalize(torch.randn_like(memory.bank[0].keys), dim=1).requires_grad_()
    carried = torch.randn_like(memory.bank[0].state).requires_grad_()
    ours = attention(queries, carried, memory)
    plain = attend_plainly(attention, queries, carried, memory)
    torch.testing.assert_close(ours, plain)
    leaves = [queries, carried, *attention.parameters()]
    leaves += [tensor for k in memory.bank for tensor in (k.keys, k.state)]
    cotangent = torch.randn_like(plain)
    grads = torch.autograd.grad(ours, leaves, cotangent, allow_unused=True)
    expected = torch.autograd.grad(plain, leaves, cotangent)
    for grad, expected_grad in zip(grads, expected, strict=True):
        torch.testing.assert_close(grad, expected_grad)


def test_of_equals_the_first_wins():
    memory = filled_memory(grid(), 4, 3)
    memory.bank = [memory.bank[0], memory.bank[1], memory.bank[1]]
    memory.locations = memory.grid.identity().expand(3, -1)
    _, winner, _ = network.search(memory.bank[1].keys, memory)
    assert winner.unique().tolist() == [1]


def test_a_limited_memory_keeps_the_last_key_frames():
    tokens = grid()
    memory = network.Memory(tokens, limit=2)
    for i in range(4):
        memory.locations = memory.locations + 100
        memory.remember(KeyFrame(tokens, torch.tensor(i), torch.tensor(i)))
    assert [int(key_frame.keys) for key_frame in memory.bank] == [2, 3]
    assert (memory.locations - tokens.identity()).unique(dim=1).flatten().tolist() == [100, 0]


# ------------------------------------------------------------------------------------------
# The network


def test_parameters_are_as_many_as_the_authors():
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in TTVSR().parameters()) == 6_773_615


@pytest.mark.parametrize("size", [(1, 3), (64, 64), (66, 71)])
@pytest.mark.parametrize("frames", [1, 2])
def test_any_size_and_length(size, frames):
    model = small().eval()
    with torch.inference_mode():
        out = model(torch.rand(1, frames, 3, *size))
    assert out.shape == (1, frames, 3, 4 * size[0], 4 * size[1])
    assert out.isfinite().all()


def test_samples_do_not_see_each_other(monkeypatch):
    model = small(cheap_flow=True).eval()
    clips = torch.rand(2, 5, 3, 64, 64)
    clips[1] = clips[1].cumsum(0) / 5
    with torch.inference_mode():
        together = model(clips)
        monkeypatch.setattr(network, "CHUNK", 2)
        alone = torch.cat([model(clip[None]) for clip in clips])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


def test_every_frame_sees_all_others():
    model = small(cheap_flow=True).eval()
    clip = torch.rand(1, 4, 3, 64, 64)
    with torch.inference_mode():
        before = model(clip)
        for changed in (0, 3):
            other = clip.clone()
            other[:, changed] = 0
            assert (model(other) - before).abs().amax((0, 2, 3, 4)).min() > 0


def test_every_parameter_learns_and_checkpointing_changes_nothing():
    clip = torch.rand(1, 3, 3, 64, 64)
    model = small()
    model(clip).square().mean().backward()
    grads = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    assert [name for name, grad in grads.items() if not grad.any()] == []
    model.with_cp = True
    model.zero_grad()
    model(clip).square().mean().backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, grads[name], msg=name)


def test_flow_learns_from_the_warped_state_alone(monkeypatch):
    model = small()
    monkeypatch.setattr(network, "warp", lambda x, flow: warp(x, flow.detach()))
    flows = model.flows(torch.rand(3, 1, 3, 64, 64))
    monkeypatch.setattr(model, "flows", lambda frames: flows)
    for flow in flows[0] + flows[1]:
        flow.retain_grad()
    model(torch.rand(1, 3, 3, 64, 64)).mean().backward()
    assert all(flow.grad is None for flow in flows[0] + flows[1])


def test_similarity_trains_the_features():
    tokens = grid()
    memory = filled_memory(tokens, 4, 2)
    queries = F.normalize(torch.randn_like(memory.bank[0].keys), dim=1).requires_grad_()
    TrajectoryAttention(4).double()(queries, memory.bank[0].state, memory).sum().backward()
    assert queries.grad.any()
    assert memory.bank[1].keys.grad.any()


def test_mixed_precision_keeps_coordinates_and_stays_close(monkeypatch):
    model = small().eval()
    clip = torch.rand(1, 4, 3, 64, 64)
    with torch.inference_mode():
        exact = model(clip)
        seen = []
        sample = F.grid_sample
        monkeypatch.setattr(
            F, "grid_sample", lambda x, at, **options: seen.append(at) or sample(x, at, **options)
        )
        with torch.autocast("cpu", torch.bfloat16):
            narrow = model(clip)
            to_next, _ = model.flows(clip.transpose(0, 1))
    assert {at.dtype for at in seen} == {flow.dtype for flow in to_next} == {torch.float32}
    assert (narrow - exact).abs().max() < 0.02


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_other_number_types(dtype):
    model = small(cheap_flow=dtype is torch.float64).to(dtype)
    out = model(torch.rand(1, 2, 3, 64, 64, dtype=dtype))
    assert out.dtype == dtype
    out.mean().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_training_can_begin_with_a_flow_network(tmp_path):
    weights = SPyNet()
    names = official_names(weights)
    theirs = {names[key]: value for key, value in weights.state_dict().items()}
    torch.save({"state_dict": theirs, "meta": {}}, tmp_path / "spynet.pth")
    model = small(flow_init_cfg={"type": "Pretrained", "checkpoint": str(tmp_path / "spynet.pth")})
    model.init_weights()
    for key, value in weights.state_dict().items():
        torch.testing.assert_close(model.spynet.state_dict()[key], value)
    with pytest.raises(UserError, match="another TTVSR"):
        checkpoint.load_weights(model, tmp_path / "spynet.pth")
    torch.save({"state_dict": to_official(model)}, tmp_path / "spynet.pth")
    with pytest.raises(UserError, match="another SPyNet"):
        model.init_weights()


@pytest.mark.parametrize("stride", [0, 2, 6])
def test_tokens_of_meaningless_size_are_refused(stride):
    with pytest.raises(ValueError, match="multiple of 4"):
        TTVSR(**SMALL, stride=stride)
