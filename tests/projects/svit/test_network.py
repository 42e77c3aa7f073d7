"""The SViT network: its attention, its shapes, its modes, what compiles."""

import copy

import pytest
import torch
from torch import nn

from mmsuper.projects.svit import network
from mmsuper.projects.svit.network import (
    Attention,
    Block,
    SuperTokenAttention,
    SViT,
    SViTClassifier,
    super_token_maps,
)

SMALL = {
    "embed_dim": (16, 24, 32, 48),
    "depths": (1, 1, 2, 1),
    "num_heads": (1, 2, 2, 3),
    "stoken_size": (4, 2, 1, 1),
    "layerscale": (False, True, False, True),
}


def by_definition(attention, x):
    """Super token attention token by token, as section 2.4 of the paper reads."""
    (_, channels, height, width), (h, w) = x.shape, attention.cell
    rows, columns = -(-height // h), -(-width // w)
    padded = x.new_zeros(channels, rows * h, columns * w)
    padded[:, :height, :width] = x[0]
    cells = padded.view(channels, rows, h, columns, w)
    tokens = cells.mean((2, 4))

    def neighbours(i, j):
        for k, (dy, dx) in enumerate(network.OFFSETS):
            inside = 0 <= i + dy < rows and 0 <= j + dx < columns
            yield k, i + dy, j + dx, inside

    for _ in range(attention.n_iter):
        association = x.new_zeros(9, rows * h, columns * w)
        for y in range(rows * h):
            for column in range(columns * w):
                logits = x.new_zeros(9)
                for k, i, j, inside in neighbours(y // h, column // w):
                    if inside:
                        logits[k] = padded[:, y, column] @ tokens[:, i, j] * channels**-0.5
                association[:, y, column] = logits.softmax(0)
        sums, weights = torch.zeros_like(tokens), x.new_zeros(rows, columns)
        for y in range(rows * h):
            for column in range(columns * w):
                for k, i, j, inside in neighbours(y // h, column // w):
                    if inside:
                        sums[:, i, j] += association[k, y, column] * padded[:, y, column]
                        weights[i, j] += association[k, y, column]
        tokens = sums / (weights + 1e-12)
    tokens = attention.refine(tokens[None])[0]
    out = torch.zeros_like(padded)
    for y in range(rows * h):
        for column in range(columns * w):
            for k, i, j, inside in neighbours(y // h, column // w):
                if inside:
                    out[:, y, column] += association[k, y, column] * tokens[:, i, j]
    return out[None, :, :height, :width]


@pytest.mark.parametrize(
    ("cell", "n_iter", "refine"),
    [((2, 3), 1, "attention"), ((3, 2), 2, "conv"), ((2, 2), 3, "none")],
)
def test_super_token_attention_is_its_definition(cell, n_iter, refine):
    torch.manual_seed(0)
    attention = SuperTokenAttention(8, cell, n_iter, 2, refine=refine).double()
    x = 3 * torch.randn(1, 8, 7, 8, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(attention(x), by_definition(attention, x))


def test_spreading_is_the_adjoint_of_gathering():
    tokens, shares = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 9, 5)
    gathered = (network.neighbourhood(tokens) * shares).sum()
    torch.testing.assert_close(gathered, (tokens * network.to_neighbours(shares)).sum())


def test_the_association_carries_no_gradient():
    pixels = torch.randn(1, 2, 2, 4, 6, requires_grad=True)
    assert not network.associate(pixels, 2).requires_grad


def test_attention_is_multi_head_attention_of_pytorch():
    torch.manual_seed(0)
    ours, theirs = Attention(8, 2), nn.MultiheadAttention(8, 2, batch_first=True)
    by_heads = ours.qkv.weight.view(2, 3, 4, 8).transpose(0, 1).reshape(24, 8)
    theirs.in_proj_weight.data = by_heads
    theirs.in_proj_bias.data = ours.qkv.bias.view(2, 3, 4).transpose(0, 1).reshape(24)
    theirs.out_proj.load_state_dict(ours.proj.state_dict())
    x = torch.randn(2, 8, 3, 5)
    tokens = x.flatten(2).transpose(1, 2)
    expected, weights = theirs(tokens, tokens, tokens, average_attn_weights=False)
    torch.testing.assert_close(ours(x).flatten(2).transpose(1, 2), expected)
    torch.testing.assert_close(ours.weights(x), weights)


def test_maps_are_rounded_up_and_lie_channels_first():
    maps = SViT(**SMALL).eval()(torch.rand(2, 3, 50, 71))
    assert [tuple(m.shape) for m in maps] == [
        (2, 16, 13, 18),
        (2, 24, 7, 9),
        (2, 32, 4, 5),
        (2, 48, 2, 3),
    ]
    assert all(m.is_contiguous() for m in maps)


@pytest.mark.parametrize("shape", [(0, 3, 64, 64), (1, 3, 1, 1), (3, 3, 9, 130)])
def test_any_batch_and_size(shape):
    model = SViTClassifier(SViT(**SMALL, out_indices=(3,)), 20, 5).eval()
    assert model(torch.rand(shape)).shape == (shape[0], 5)


def test_a_sample_does_not_depend_on_its_neighbours():
    model = SViT(**SMALL).eval()
    images = torch.rand(3, 3, 40, 40)
    together = model(images)[-1]
    torch.testing.assert_close(together[1:2], model(images[1:2])[-1])


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_precisions(dtype):
    torch.manual_seed(0)
    model, image = SViT(**SMALL).eval(), torch.rand(1, 3, 40, 56)
    expected = model(image)[-1]
    found = model.to(dtype)(image.to(dtype))[-1]
    assert found.dtype == dtype
    error = (found.double() - expected.double()).abs().max() / expected.abs().max()
    assert error < {torch.float64: 1e-5, torch.bfloat16: 0.05, torch.float16: 0.005}[dtype]


def test_association_is_in_float32_under_autocast():
    pixels = torch.randn(1, 2, 2, 4, 8)
    with torch.autocast("cpu", torch.bfloat16):
        assert network.associate(pixels, 1).dtype == torch.float32


def test_compiles_whole_and_learns():
    torch.manual_seed(0)
    model = SViT(**{**SMALL, "depths": (1, 1, 1, 1)}).train()
    compiled = torch.compile(copy.deepcopy(model), fullgraph=True, backend="aot_eager")
    image = torch.rand(2, 3, 40, 40)
    (out,), (expected,) = compiled(image)[-1:], model(image)[-1:]
    torch.testing.assert_close(out, expected)
    out.square().mean().backward(), expected.square().mean().backward()
    for (name, a), b in zip(compiled.named_parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, msg=name, rtol=1e-3, atol=1e-5)


def test_checkpointing_changes_no_gradient():
    torch.manual_seed(0)
    plain = SViT(**SMALL).train()
    saving = copy.deepcopy(plain)
    saving.with_cp = True
    image = torch.rand(2, 3, 40, 40)
    for model in (plain, saving):
        model(image)[-1].square().mean().backward()
    for a, b in zip(plain.parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


def test_frozen_stages_are_neither_trained_nor_in_training_mode():
    model = SViT(**SMALL, frozen_stages=2).train()
    frozen = [model.stem, model.stages[0], model.stages[1], *model.downsamples[:2]]
    assert not any(p.requires_grad for part in frozen for p in part.parameters())
    assert not any(module.training for part in frozen for module in part.modules())
    assert all(p.requires_grad for p in model.stages[2].parameters())
    assert model.stages[2].training
    assert all(p.requires_grad for p in SViT(**SMALL, frozen_stages=-1).parameters())


def test_norm_eval_keeps_running_statistics():
    model = SViT(**SMALL, norm_eval=True).train()
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    before = [norm.running_mean.clone() for norm in norms]
    model(torch.rand(2, 3, 40, 40))
    for norm, mean in zip(norms, before, strict=True):
        assert torch.equal(norm.running_mean, mean)
    assert model.stages[0].training


def test_drop_path_leaves_samples_out_and_keeps_the_mean():
    torch.manual_seed(0)
    drop = network.DropPath(0.25).train()
    out = drop(torch.ones(4000, 1, 1, 1))
    assert out.unique().tolist() == pytest.approx([0, 4 / 3])
    assert out.mean() == pytest.approx(1, abs=0.05)
    assert torch.equal(drop.eval()(out), out)
    rates = [
        b.drop_path.rate
        for b in SViT(**SMALL, drop_path_rate=0.4).modules()
        if isinstance(b, Block)
    ]
    assert rates == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def test_maps_to_look_at():
    torch.manual_seed(0)
    model = SViT(**SMALL).eval()
    image = torch.rand(2, 3, 44, 60)
    expected = model(image)[-1]
    with super_token_maps(model) as maps:
        torch.testing.assert_close(model(image)[-1], expected)
    assert list(maps) == [
        f"stages.{i}.{j}.attention" for i, j in [(0, 0), (1, 0), (2, 0), (2, 1), (3, 0)]
    ]
    first, last = maps["stages.0.0.attention"], maps["stages.3.0.attention"]
    assert (first.cell, first.grid, first.size) == ((4, 4), (3, 4), (11, 15))
    assert first.association.shape == (2, 9, 12, 16)
    torch.testing.assert_close(first.association.sum(1), torch.ones(2, 12, 16))
    torch.testing.assert_close(first.attention.sum(-1), torch.ones(2, 1, 12))
    labels = first.labels()
    assert labels.shape == (2, 11, 15)
    assert labels.min() >= -1 and labels.max() < 12
    best = first.association[0, :, 5, 6].argmax().item()
    dy, dx = network.OFFSETS[best]
    assert labels[0, 5, 6] == (1 + dy) * 4 + 1 + dx
    assert last.association is None and last.attention.shape == (2, 3, 4, 4)
    with pytest.raises(ValueError, match="single tokens"):
        last.labels()
    maps.clear()
    model(image)
    assert not maps


def test_bad_arguments():
    with pytest.raises(ValueError, match="4 stages"):
        SViT(depths=(1, 1))
    with pytest.raises(ValueError, match="3 heads do not divide 64"):
        SViT(num_heads=(3, 2, 5, 8))
    with pytest.raises(ValueError, match="at least 1"):
        SuperTokenAttention(8, n_iter=0)
