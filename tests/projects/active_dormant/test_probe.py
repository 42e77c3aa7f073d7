"""The tap on language models: their own logits, their heads, and who is refused."""

import pytest
import torch
from tiny_families import FAMILIES, build

from mmsuper.errors import UserError
from mmsuper.projects.active_dormant import probe


@pytest.fixture(scope="module")
def ids():
    return torch.randint(3, 64, (2, 12), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_a_family_is_read_and_changed(family, ids):
    model = build(family)
    own, before = model(ids).logits, model.config._attn_implementation
    probe.check(model)
    seen, states = [], []
    with (
        probe.tapped(model, seen.append),
        probe.residuals(model, lambda layer, x: states.append(x)),
    ):
        tapped = model(ids).logits
    torch.testing.assert_close(tapped, own, rtol=1e-4, atol=1e-4)
    assert [one.layer for one in seen] == [0, 1] and states[1].shape == (2, 12, 32)
    for one in seen:
        assert one.scores.shape == one.weights.shape == (2, 4, 12, 12)
        assert one.weights.triu(1).count_nonzero() == 0
        sums = one.weights.sum(-1)
        assert (sums.max() < 1 + 1e-5) if family == "gpt_oss" else sums.allclose(torch.ones(()))
        assert (sums.min() < 0.9) == (family == "gpt_oss")
    # The last head's part of the output is what it adds to the output projection.
    layer = probe.decoder_layers(model)[0]
    columns = probe.output_columns(layer, 4)
    assert model.config._attn_implementation == before
    with probe.tapped(model, heads={(0, 3): "zero"}):
        zeroed = output_of(probe.attention_of(layer), model, ids)
    part = torch.einsum("bqk,bkc,cd->bqd", seen[0].weights[:, 3], seen[0].values[:, 3], columns[3])
    whole = output_of(probe.attention_of(layer), model, ids)
    torch.testing.assert_close(whole - zeroed, part, rtol=1e-3, atol=1e-4)
    norms = (seen[0].values[:, 3] @ columns[3]).norm(dim=-1)
    torch.testing.assert_close(probe.value_norms(seen[0].values, columns)[:, 3], norms)
    assert torch.equal(model(ids).logits, own)


def output_of(module, model, ids):
    found = []
    hook = lambda m, i, out: found.append(out[0] if isinstance(out, tuple) else out)  # noqa: E731
    handle = module.register_forward_hook(hook)
    model(ids)
    handle.remove()
    return found[0]


@torch.no_grad()
def test_components_are_taken_out(ids):
    model = build("llama")
    states = {}
    with (
        probe.zeroed(model, [0, 1], "both"),
        probe.residuals(model, lambda layer, x: states.update({layer: x})),
    ):
        model(ids)
    assert torch.equal(states[1], model.model.embed_tokens(ids))
    with probe.zeroed(model, [1], "mlp"):
        assert not torch.equal(model(ids).logits, build("llama")(ids).logits)


@torch.no_grad()
def test_a_head_is_moved_to_the_first_key(ids):
    model = build("llama")
    seen = []
    with probe.tapped(model, seen.append):
        model(ids)
    layer = probe.decoder_layers(model)[1]
    columns = probe.output_columns(layer, 4)
    outputs = []
    for change in ("zero", "first"):
        with probe.tapped(model, heads={(1, 2): change}):
            outputs.append(output_of(probe.attention_of(layer), model, ids))
    first = (seen[1].values[:, 2, :1] @ columns[2]).expand(-1, 12, -1)
    torch.testing.assert_close(outputs[1] - outputs[0], first, rtol=1e-4, atol=1e-5)


def test_who_cannot_be_read_is_refused():
    with pytest.raises(UserError, match="BloomForCausalLM does not compute attention through"):
        probe.check(build("bloom", n_layer=2, n_head=4))
    model = build("llama")
    with (
        pytest.raises(UserError, match="no head 4 in a layer 0"),
        probe.tapped(model, heads={(0, 4): "zero"}),
    ):
        pass


def test_a_tap_that_changes_logits_is_refused(monkeypatch):
    model = build("llama")
    plain = probe._attention

    def other(*arguments, scaling=None, **options):
        return plain(*arguments, scaling=2 * scaling, **options)

    monkeypatch.setattr(probe, "_attention", other)
    with pytest.raises(UserError, match="gives other logits"):
        probe.check(model)
    assert model.config._attn_implementation != probe.NAME


def test_measures_of_a_map():
    weights = torch.tensor([[1.0, 0, 0], [1, 0, 0], [1, 0, 0]])[None, None]
    assert probe.sink_attention(weights).item() == 1
    assert probe.row_entropy(weights).item() == 0
    assert probe.column_entropy(weights).item() == pytest.approx(1)
    even = torch.tensor([[1.0, 0, 0], [1 / 2, 1 / 2, 0], [1 / 3, 1 / 3, 1 / 3]])[None, None]
    assert probe.row_entropy(even).item() == pytest.approx(2 / 3)
    assert probe.sink_attention(even, 2).item() == pytest.approx(1 / 3)
    scores = torch.tensor([[1.0, 9, 9], [2, 4, 9], [3, 5, 0]])[None, None]
    gaps = probe.sink_gap(scores)[0, 0]
    assert gaps[0].isnan() and gaps[1:].tolist() == [-2.0, 0.5]
    assert probe.sink_gap(scores, all_keys=True)[0, 0, 2].item() == pytest.approx(3 - 8 / 3)
