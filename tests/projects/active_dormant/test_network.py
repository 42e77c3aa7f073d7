"""The toy models: switches, interventions, checkpoints."""

import pytest
import torch

from mmsuper import checkpoint
from mmsuper.errors import UserError
from mmsuper.projects.active_dormant import measure
from mmsuper.projects.active_dormant.convert import from_official, to_official
from mmsuper.projects.active_dormant.data import sample
from mmsuper.projects.active_dormant.model import NextToken, split_loss
from mmsuper.projects.active_dormant.network import ReducedModel, ToyTransformer
from mmsuper.projects.active_dormant.task import Counts, Task

SMALL = {"dim": 16, "max_length": 24, "n_layers": 2, "n_heads": 2}
SWITCHES = [
    {},
    {"pre_norm": False, "sin_cos": True},
    {"attn_use_relu": True},
    {"no_attn": (0,), "no_ffn": (1,), "linear_ffn": (0,)},
    {"no_attn_norm": (0,), "no_ffn_norm": (1,)},
    {"no_wv": True, "no_wo": True, "n_heads": 1},
]


@pytest.fixture(scope="module")
def batch():
    task = Task(Counts.read())
    tokens = torch.from_numpy(sample(task, 25, 6, (42, 27)))
    return task, tokens, task.triggered(tokens[:, :-1])


@pytest.mark.parametrize("switches", SWITCHES, ids=str)
def test_checkpoints_go_there_and_back(switches, batch, tmp_path):
    _, tokens, _ = batch
    network = ToyTransformer(**{**SMALL, **switches}).eval()
    theirs = to_official(network)
    told = {name: value for name, value in switches.items() if name not in ("no_wv", "no_wo")}
    again = from_official(theirs, **{"n_heads": 2, **told})
    assert torch.equal(again(tokens[:, :-1]), network(tokens[:, :-1]))
    model = NextToken({"type": "mmsuper.ToyTransformer", **SMALL, **switches})
    checkpoint.save(tmp_path / "toy.pth", theirs)
    checkpoint.load_weights(model, tmp_path / "toy.pth")
    assert torch.equal(model.network.output.weight, network.output.weight)


def test_nothing_sees_the_future(batch):
    _, tokens, _ = batch
    changed = tokens.clone()
    changed[:, 15] = 5
    for network in (ToyTransformer(**SMALL), ReducedModel()):
        with torch.no_grad():
            before, after = network(tokens[:, :-1]), network(changed[:, :-1])
        assert torch.equal(before[:, :15], after[:, :15])
        assert not torch.equal(before[:, 15], after[:, 15])


def test_other_switches():
    tied = ToyTransformer(
        **SMALL, tie_output=True, freeze=("pos_embeddings", "layers.0.attention.")
    )
    assert tied.output.weight is tied.tok_embeddings.weight
    frozen = {name for name, p in tied.named_parameters() if not p.requires_grad}
    assert len(frozen) == 5 and "layers.1.attention.wq.weight" not in frozen
    assert not [
        m for m in ToyTransformer(**SMALL, no_norm=True).modules() if "Norm" in str(type(m))
    ]


def test_a_checkpoint_of_another_model_is_refused():
    theirs = to_official(ToyTransformer(**SMALL))
    with pytest.raises(UserError, match="another toy model"):
        from_official({**theirs, "layers.0.attention.extra": torch.zeros(2)})


def test_relu_attention_can_be_all_zero():
    network = ToyTransformer(**SMALL, attn_use_relu=True)
    weights = network.layers[0].attention.weights(torch.tensor([[-1.0, -1e9], [4.0, 2.0]]))
    assert weights.tolist() == [[0.0, 0.0], [2.0, 1.0]]


def test_parts_are_taken_out(batch):
    task, tokens, triggered = batch
    inputs = tokens[:, :-1]
    torch.manual_seed(0)
    network = ToyTransformer(**SMALL).eval()
    with torch.no_grad():
        whole = network(inputs)
        with measure.without(network, "layer", 0), measure.without(network, "layer", 1):
            bare = network.tok_embeddings(inputs) + network.pos_embeddings.weight
            assert torch.equal(network(inputs), network.output(network.norm(bare)))
        for name, switch in (("attention", "no_attn"), ("ff", "no_ffn")):
            other = ToyTransformer(**SMALL, **{switch: (1,)}).eval()
            other.load_state_dict(network.state_dict(), strict=False)
            with measure.without(network, name, 1):
                assert torch.equal(network(inputs), other(inputs))
        with measure.clean_attention(network, 0, triggered):
            _, layers = measure.record(network, inputs)
            clean, kept = network(inputs), layers[1].weights
        assert torch.equal(network(inputs), whole)
    assert not torch.equal(clean, whole) and kept.shape == (6, 2, 24, 24)
    found = measure.interventions(network, task, tokens, triggered)
    assert len(found) == 8 and found["no layer 0"]["bigram"] > 0


def test_clean_attention_is_where_the_theory_says(batch):
    _, tokens, triggered = batch
    network = ToyTransformer(**SMALL).eval()
    seen = []
    block = network.layers[0].attention
    watch = measure.hooks((block.weights, lambda m, i, out: seen.append(out)))
    with measure.clean_attention(network, 0, triggered), watch, torch.no_grad():
        network(tokens[:, :-1])
    assert measure.sink_attention(seen[0], triggered).tolist() == [1.0, 1.0]
    assert measure.back_attention(seen[0], triggered).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("bos_num", [0, 1])
def test_summary_says_everything(bos_num):
    task = Task(Counts.read(), bos_num=bos_num)
    tokens = torch.from_numpy(sample(task, 25, 6, 0))
    triggered = task.triggered(tokens[:, :-1])
    size = task.vocab_size
    for network in (ToyTransformer(size, **SMALL, no_attn=(1,)), ReducedModel(size)):
        found = measure.summary(network, task, tokens, triggered)
        first = found["layers"][0]
        assert 0 < first["sink_attention"] < 1 and 0 < first["back_attention"] < 1
        assert first["sink_gap_q10"] <= first["sink_gap"] <= first["sink_gap_q90"]
        assert first["value_norm_sink"] > 0
    assert "sink_attention" in found["layers"][0]


def test_losses_are_split(batch):
    _, tokens, triggered = batch
    logits = torch.randn(6, 24, 67)
    losses = split_loss(logits, tokens[:, 1:], triggered)
    share = triggered.float().mean()
    both = share * losses["backcopy"] + (1 - share) * losses["bigram"]
    assert torch.allclose(losses["loss"], both)
    none = split_loss(logits, tokens[:, 1:], torch.zeros_like(triggered))
    assert none["backcopy"].isnan() and torch.allclose(none["bigram"], none["loss"])


def test_the_true_law_has_no_excess(batch):
    task, tokens, triggered = batch
    law = task.law(tokens)
    risk = measure.Risk.of(law.clamp_min(1e-300).log(), law, triggered)
    means = (risk + risk).means()
    assert means["backcopy"] == pytest.approx(0) and means["bigram_excess"] == pytest.approx(0)
    assert "backcopy" not in measure.Risk.of(law, law, torch.zeros_like(triggered)).means()
