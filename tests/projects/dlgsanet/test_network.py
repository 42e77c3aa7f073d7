"""The DLGSANet network: its operation, its shapes, its costs, and what compiles."""

import pytest
import torch
import torch.nn.functional as F

from mmsuper.projects.dlgsanet import network
from mmsuper.projects.dlgsanet.network import (
    ChannelNorm,
    DLGSANet,
    SparseGlobalAttention,
    dynamic_depthwise_conv,
    window_starts,
)

SMALL = {"dim": 12, "groups": 1, "blocks": 1, "idynamic_num_heads": 6, "tlc_kernel": 8}

# Variant, constructor arguments, and parameters at x2, x3, x4 as the paper's authors have.
VARIANTS = {
    "tiny": ({"dim": 48, "groups": 3, "blocks": 3}, (565_710, 572_205, 581_298)),
    "light": ({"dim": 48, "groups": 4, "blocks": 3}, (745_188, 751_683, 760_776)),
    "large": ({"dim": 90, "groups": 6, "blocks": 4}, (4_733_724, 4_745_889, 4_762_920)),
}
# Multiply-adds in 10^9 for an output of 1280x720, counted on the authors' network.
FLOPS = {
    "tiny": (135.3, 60.8, 34.7),
    "light": (178.3, 79.9, 45.5),
    "large": (1123, 500, 282.5),
}
# Upscale, side of the windows, size of the input.
SCALES = ((2, 96, (360, 640)), (3, 72, (240, 426)), (4, 48, (180, 320)))


def by_unfolding(x, features, weight, bias, side):
    """The dynamic convolution as its definition reads, every neighbourhood written out."""
    n, channels, height, width = x.shape
    groups = weight.shape[0] // side**2
    kernels = F.conv2d(features, weight[:, :, None, None], bias)
    columns = F.unfold(x, side, padding=side // 2)
    columns = columns.view(n, groups, channels // groups, side**2, height, width)
    return (columns * kernels.view(n, groups, 1, side**2, height, width)).sum(3).view_as(x)


def operands(size, dtype=torch.float64, n=2, channels=12, groups=3, reduced=4, side=7):
    generator = torch.Generator().manual_seed(0)
    shapes = (
        (n, channels, *size),
        (n, reduced, *size),
        (groups * side**2, reduced),
        (groups * side**2,),
    )
    return [
        torch.randn(shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes
    ]


@pytest.mark.parametrize("size", [(9, 11), (1, 1), (2, 30)])
@pytest.mark.parametrize("band", [1, 200, 2**16])
def test_dynamic_convolution_equals_its_definition(size, band, monkeypatch):
    monkeypatch.setattr(network, "BAND_CPU", band)
    inputs = operands(size)
    cotangent = torch.randn(inputs[0].shape, dtype=torch.float64)
    ours = dynamic_depthwise_conv(*inputs, 7)
    expected = by_unfolding(*inputs, 7)
    torch.testing.assert_close(ours, expected)
    grads = torch.autograd.grad(ours, inputs, cotangent)
    expected_grads = torch.autograd.grad(expected, inputs, cotangent)
    for grad, expected_grad in zip(grads, expected_grads, strict=True):
        torch.testing.assert_close(grad, expected_grad)


def test_dynamic_convolution_is_a_well_formed_operation():
    torch.library.opcheck(dynamic_depthwise_conv, (*operands((4, 5)), 7))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_narrow_types_are_summed_in_float32(dtype):
    inputs = [tensor.detach() for tensor in operands((9, 11), torch.float32)]
    narrow = dynamic_depthwise_conv(*(tensor.to(dtype) for tensor in inputs), 7)
    exact = by_unfolding(*(tensor.to(dtype).double() for tensor in inputs), 7)
    assert narrow.dtype == dtype
    # One rounding of the kernels, one of the result: not 49 of the sum.
    error = (narrow - exact).abs().max() / exact.abs().max()
    assert error < 2 * torch.finfo(dtype).eps


def test_no_map_sized_copies_are_made_for_the_taps():
    """The widest tensor made is the padded map, not 49 maps nor 49 kernels a pixel."""
    x, features, weight, bias = (t.detach() for t in operands((256, 256), torch.float32, n=1))
    with torch.profiler.profile(profile_memory=True) as profile:
        dynamic_depthwise_conv(x, features, weight, bias, 7)
    largest = max(event.self_cpu_memory_usage / event.count for event in profile.key_averages())
    assert largest < 2 * x.numel() * x.element_size()


@pytest.mark.parametrize("variant", VARIANTS)
def test_parameters_and_costs_are_the_papers(variant):
    arguments, parameters = VARIANTS[variant]
    for i, (upscale, window, size) in enumerate(SCALES):
        with torch.device("meta"):
            model = DLGSANet(upscale, **arguments, tlc_kernel=window)
        assert sum(parameter.numel() for parameter in model.parameters()) == parameters[i]
        assert model.flops(*size) / 1e9 == pytest.approx(FLOPS[variant][i], rel=2e-3)


@pytest.mark.parametrize("upsampler", ["pixelshuffledirect", "pixelshuffle"])
@pytest.mark.parametrize("upscale", [2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (7, 13), (17, 8)])
def test_any_size_and_batch(size, upscale, upsampler):
    model = DLGSANet(upscale, **SMALL, upsampler=upsampler).eval()
    images = torch.rand(2, 3, *size)
    with torch.inference_mode():
        out = model(images)
        alone = torch.cat([model(image[None]) for image in images])
    assert out.shape == (2, 3, size[0] * upscale, size[1] * upscale)
    torch.testing.assert_close(out, alone, rtol=1e-4, atol=1e-5)


def test_empty_batch():
    assert DLGSANet(**SMALL).eval()(torch.rand(0, 3, 8, 8)).shape == (0, 3, 32, 32)


@pytest.mark.parametrize("kind", ["sparseedge", "edge", "idynamic", "restormer"])
@pytest.mark.parametrize("ffn", ["GDFN", "BaseFFN"])
def test_every_parameter_learns(kind, ffn):
    model = DLGSANet(
        **SMALL,
        in_chans=1,
        buildblock_type=kind,
        idynamic_ffn_type=ffn,
        restormer_ffn_type=ffn,
        body_norm=True,
        idynamic=ffn == "GDFN",
    )
    model(torch.rand(1, 1, 9, 10)).square().mean().backward()
    idle = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


def test_network_works_on_any_range_of_values():
    """With img_range r the network sees r (x - mean), and undoes it."""
    unit, wide = (DLGSANet(**SMALL, img_range=r).eval() for r in (1.0, 255.0))
    wide.load_state_dict(unit.state_dict())
    image = torch.rand(1, 3, 8, 8)
    with torch.inference_mode():
        assert not torch.allclose(unit(image), wide(image), atol=1e-3)
        wide.img_range = 1.0
        torch.testing.assert_close(unit(image), wide(image))


@pytest.mark.parametrize(
    ("length", "size", "starts"),
    [
        (48, 48, [0]),
        (49, 48, [0, 1]),
        (52, 48, [0, 4]),
        (96, 48, [0, 48]),
        (100, 48, [0, 26, 52]),
        (5, 2, [0, 2, 3]),
        (1, 1, [0]),
    ],
)
def test_windows_cover_an_axis(length, size, starts):
    assert window_starts(length, size) == starts


def test_windowed_attention_is_the_mean_over_windows():
    torch.manual_seed(0)
    layer = SparseGlobalAttention(12, 6, "relu", window=5).eval()
    qkv = torch.randn(2, 36, 7, 5)
    first, second = layer.attend(qkv[:, :, :5]), layer.attend(qkv[:, :, 2:])
    expected = torch.cat(
        [first[:, :, :2], (first[:, :, 2:] + second[:, :, :3]) / 2, second[:, :, 3:]], 2
    )
    torch.testing.assert_close(layer.attend_in_windows(qkv), expected)


def test_windows_are_for_evaluation_only():
    layer = SparseGlobalAttention(12, 6, "relu", window=4)
    x = torch.rand(1, 12, 9, 9)
    whole = layer.train()(x)
    assert not torch.allclose(layer.eval()(x), whole)
    layer.window = None
    torch.testing.assert_close(layer(x), whole)


def test_channel_norm_is_a_layer_norm_of_each_pixel():
    norm = ChannelNorm(5)
    torch.nn.init.normal_(norm.weight), torch.nn.init.normal_(norm.bias)
    x = torch.randn(2, 5, 3, 4, dtype=torch.float64)
    pixel = x[1, :, 2, 3]
    expected = (pixel - pixel.mean()) / (pixel.var(correction=0) + 1e-5).sqrt()
    expected = expected * norm.double().weight + norm.bias
    torch.testing.assert_close(norm(x)[1, :, 2, 3], expected)


@pytest.mark.parametrize("training", [True, False])
def test_compiles_without_graph_breaks(training):
    """Traced whole, forward and backward; the code generator is no part of this test."""
    model = DLGSANet(**SMALL).train(training)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    image = torch.rand(1, 3, 12, 9)
    torch.testing.assert_close(compiled(image), model(image))
    if training:
        compiled(image).mean().backward()
        grads = [parameter.grad.clone() for parameter in model.parameters()]
        model.zero_grad()
        model(image).mean().backward()
        for grad, parameter in zip(grads, model.parameters(), strict=True):
            torch.testing.assert_close(grad, parameter.grad)


def test_mixed_precision_stays_close():
    model = DLGSANet(**SMALL).eval()
    image = torch.rand(1, 3, 16, 16)
    with torch.inference_mode():
        exact = model(image)
        with torch.autocast("cpu", torch.bfloat16):
            narrow = model(image)
    assert (narrow - exact).abs().max() < 0.02


def test_half_precision_trains():
    model = DLGSANet(**SMALL).bfloat16()
    model(torch.rand(1, 3, 9, 9, dtype=torch.bfloat16)).float().mean().backward()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"dim": 50}, "multiple"),
        ({"window_size": 6}, "odd"),
        ({"buildblock_type": "dense"}, "dense"),
        ({"upscale": 6, "upsampler": "pixelshuffle"}, "power of two"),
        ({"idynamic_ffn_type": "MLP"}, "MLP"),
    ],
)
def test_meaningless_arguments_are_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        DLGSANet(**arguments)
