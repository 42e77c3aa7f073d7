"""The report on the heads of language models, its files, and what eight bits cost."""

import csv
import json
import types

import numpy as np
import pytest
import torch
import transformers
from tiny_families import FAMILIES, build
from tiny_llm import MODEL, TEXTS

from mmsuper.cli import main
from mmsuper.errors import UserError
from mmsuper.llm import tokenizers
from mmsuper.projects.active_dormant import probe, quantization, report, report_page


class Tokenizer:
    """Letters are tokens; a start token comes before a document."""

    bos_token_id = 1

    def __call__(self, text, add_special_tokens=True, verbose=True):
        return {"input_ids": [1] * add_special_tokens + [ord(c) - 95 for c in text]}

    def decode(self, ids):
        return "".join("<s>" if i == 1 else chr(i + 95) for i in ids)


@pytest.fixture(scope="module")
def texts():
    generator = torch.Generator().manual_seed(1)
    return {kind: torch.randint(3, 30, (3, 16), generator=generator) for kind in ("code", "prose")}


@pytest.mark.parametrize("family", FAMILIES)
def test_report_of_a_family(family, texts, monkeypatch):
    monkeypatch.setattr(report, "QUERIES", 5)
    model = build(family)
    sizes, whole, ids = [], [], texts["code"]
    with torch.no_grad():
        own = model(ids).logits
        with probe.tapped(model, whole.append):
            model(ids)
        with probe.tapped(model, lambda one: sizes.append(one.weights.shape[2]), block=5):
            blocks = model(ids).logits
    torch.testing.assert_close(blocks, own, rtol=1e-4, atol=1e-4)
    assert sizes == [5, 5, 5, 1] * 2
    found = report.report(model, Tokenizer(), {"code": ids}, batch=2, candidates=1)
    domain = found.domains["code"]
    assert domain.losses.shape == (3,) and domain.sink_weight.shape == (3, 2, 4)
    assert np.isfinite(domain.output_norm).all() and np.isfinite(domain.residual_others).all()
    assert domain.channels.shape == (2, 32)
    assert np.allclose(report.losses(model, ids, 3), domain.losses, atol=1e-5)
    expected = plain_weights(whole)
    np.testing.assert_allclose(domain.sink_weight, expected, atol=1e-5)
    best = found.candidates[0]
    assert best.score == found.score().max() and best.change["code"].shape == (3,)


def plain_weights(whole):
    """Sink weights from whole maps, written down plainly."""
    length = whole[0].weights.shape[-1]
    sinks = torch.zeros(len(whole[0].weights), length, dtype=torch.bool)
    for one in whole:
        for b, key in np.ndindex(*sinks.shape):
            rows = [i for i in range(length) if one.visible[0, 0, i, key]]
            if len(rows) >= length / 4:
                sinks[b, key] |= bool((one.weights[b, :, rows, key].mean(-1) > 0.3).any())
    out = np.zeros((len(sinks), len(whole), whole[0].weights.shape[1]))
    for one in whole:
        for b, marked in enumerate(sinks):
            seen = one.visible[0, 0] & marked
            rows = [i for i in range(length) if seen[i].any() and not marked[i]]
            if rows:
                on_sinks = (one.weights[b, :, rows] * seen[rows]).sum(-1)
                out[b, one.layer] = on_sinks.mean(-1).numpy()
    return out


def sinking(position, texts):
    """A LLaMA whose layer 0 puts everything on a token that stands at a position."""
    model = build("llama")
    layer, special = model.model.layers[0], 40
    texts = {kind: ids.clone() for kind, ids in texts.items()}
    with torch.no_grad():
        model.model.embed_tokens.weight[:, 0] = 0
        model.model.embed_tokens.weight[special] = 0
        model.model.embed_tokens.weight[special, 0] = 3000.0
        model.model.embed_tokens.weight[:, 1] = 3.0
        # Layer 1 looks at all keys alike, and so has no sinks.
        for any_layer in model.model.layers:
            any_layer.self_attn.q_proj.weight.zero_()
        layer.self_attn.k_proj.weight.zero_()
        # The slowest turning pair of rotary channels, so that distance hardly matters.
        layer.self_attn.q_proj.weight[3::8, 1] = 8.0
        layer.self_attn.k_proj.weight[3::8, 0] = 8.0
        layer.self_attn.v_proj.weight[:, :2] *= 1e-3
    texts["code"][:, position] = special
    return model, texts


@pytest.mark.parametrize("position", [0, 3])
def test_a_sink_is_found_where_it_is(position, texts):
    model, texts = sinking(position, texts)
    found = report.report(model, Tokenizer(), texts, candidates=2)
    code, prose = found.domains["code"], found.domains["prose"]
    top = {one.what: one for one in code.positions}[str(position)]
    assert top.found == top.occurs == 3 and top.heads >= 4
    assert chr(40 + 95) in {one.what for one in code.texts}
    assert [sink for _, sink in code.example][position]
    assert (code.sink_weight[:, 0].mean(0) > 0.9).all()
    assert (code.gap[0] > 5).all() and (code.value_ratio[0] < 0.5).all()
    assert (prose.sink_weight[:, 0] < 0.5).all()
    assert {one.layer for one in found.candidates} == {0}
    # The channel that marks the token is what stands out in the stream.
    channel, size, _ = code.massive()[0][0]
    assert channel == 0 and size == pytest.approx(3000, rel=0.1)
    assert code.residual_sinks[0] > 10 * code.residual_others[0]


@pytest.mark.parametrize(
    ("code", "prose", "proved"),
    [
        ([0.4, 0.5, 0.6], [0.01, -0.02, 0.01], ("code", "prose")),
        ([0.4, 0.5, 0.6], [0.1, 0.1, 0.1], None),  # worth something on both
        ([0.9, -0.8, 0.2], [0.0, 0.0, 0.0], None),  # may be chance
        ([0.0, 0.0, 0.0], [0.4, 0.5, 0.6], None),  # reads what looks like a sink
        ([0.5], [0.0], None),  # one text tells nothing
    ],
)
def test_a_head_is_proved_by_what_its_absence_costs(code, prose, proved):
    weights = {"prose": np.full((3, 1, 1), 0.9), "code": np.full((3, 1, 1), 0.2)}
    domains = {kind: types.SimpleNamespace(sink_weight=one) for kind, one in weights.items()}
    change = {"code": np.array(code), "prose": np.array(prose)}
    assert report.Candidate(0, 0, 0.7, change).proof(domains) == proved


def test_taking_a_head_out_is_zeroing_its_part_of_the_output(texts):
    model = build("llama")
    taken = report.without(model, texts["code"], 1, 2, batch=2)
    with torch.no_grad():
        model.model.layers[1].self_attn.o_proj.weight[:, 16:24] = 0
    assert np.allclose(report.losses(model, texts["code"], 2), taken, atol=1e-5)


def test_a_model_without_the_interface_gives_its_own_weights(texts):
    model = build("bloom", n_layer=2, n_head=4)
    found = report.report(model, Tokenizer(), texts)
    assert "does not compute attention through" in found.read and not found.candidates
    domain = found.domains["code"]
    assert np.isnan(domain.gap).all() and np.isfinite(domain.residual_others).all()
    with torch.no_grad():
        maps = model(texts["code"], output_attentions=True).attentions
    visible = torch.ones(16, 16, dtype=torch.bool).tril()[None, None]
    whole = [probe.Seen(i, torch.empty(0), w, torch.empty(0), visible) for i, w in enumerate(maps)]
    np.testing.assert_allclose(domain.sink_weight, plain_weights(whole), atol=1e-5)
    plain = json.loads(json.dumps(report_page.as_json(found), allow_nan=False))
    assert plain["domains"]["code"]["gap"][0][0] is None
    report_page.html([found])


def test_windows_begin_with_the_start_token():
    found = report.windows(Tokenizer(), iter(["abcde", "fghij", "k"]), 4, 9)
    assert found.tolist() == [[1, *range(2 + i, 5 + i)] for i in (0, 3, 6)]
    endless = iter(lambda: "abc", None)
    assert report.windows(Tokenizer(), endless, 4, 2).shape == (2, 4)
    with pytest.raises(UserError, match="only 2 tokens"):
        report.windows(Tokenizer(), ["ab"], 4, 1)


def test_eight_bits_suffer_from_a_peak_and_not_where_it_is_kept(texts):
    model = build("gpt2", n_positions=32)
    with torch.no_grad():
        model.transformer.h[0].ln_1.weight[7] = 3000.0
        model.transformer.h[0].attn.c_attn.weight[7] /= 3000.0
    before = {name: value.clone() for name, value in model.state_dict().items()}
    hints = quantization.hints(model, texts, batch=2)
    worst = hints.layers[0]
    assert worst.name == "transformer.h.0.attn.c_attn" and worst.bits > 6
    assert [channel for channel, _ in worst.kept] == [7]
    assert hints.left == ["transformer.wte", "transformer.wpe", "lm_head"]
    for row in hints.losses.values():
        harm = abs(row["int8"] - row["full"])
        assert harm > 5 * abs(row["int8, peaks kept"] - row["full"])
    after = model.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_rounding_has_255_values():
    values = torch.linspace(-3, 3, 2001)
    found = quantization.rounded(values, torch.tensor(2.0))
    assert len(found.unique()) == 255 and found.max() == 2
    assert (found - values.clamp(-2, 2)).abs().max() <= 1 / 127 + 1e-6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two checkpoints of a tiny model with its tokenizer, and texts."""
    folder = tmp_path_factory.mktemp("heads")
    for name, text in TEXTS.items():
        (folder / name).write_text(text)
    tokenizer = tokenizers.train([folder / name for name in TEXTS], 300, folder)
    for seed, name in enumerate(("early", "late")):
        torch.manual_seed(seed)
        config = transformers.AutoConfig.for_model(**MODEL)
        transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    return folder


def heads(folder, *words, models=("late",)):
    places = [str(folder / model) for model in models]
    domains = [f"--domain={kind}={folder}/{kind}*.txt" for kind in ("code", "prose")]
    size = ["--length=16", "--samples=2", "--candidates=1"]
    return main(["analyze", "heads", *places, *domains, *size, "-o", str(folder / "r"), *words])


def test_the_command_writes_a_page_json_and_csv(folder, capsys):
    assert heads(folder, "--quantization-hints", models=("early", "late")) == 0
    printed = capsys.readouterr().out
    assert "peaks kept" in printed and f"written: {folder / 'r.html'}" in printed
    page = (folder / "r.html").read_text()
    # Maps, scatter and layers of each checkpoint, and the sweep; nothing is loaded.
    assert page.count("data:image/png") == 7 and "Eight bits" in page
    assert "http" not in page and "<script" not in page and "Checkpoints" in page
    late = json.loads((folder / "r.json").read_text())[1]
    rows = list(csv.DictReader((folder / "r.csv").read_text().splitlines()))
    assert len(rows) == 2 * 2 * 2 * 2
    row = next(r for r in rows if r["model"].endswith("late") and r["domain"] == "prose")
    assert float(row["gap"] or "nan") == pytest.approx(
        late["domains"]["prose"]["gap"][0][0] or np.nan, rel=1e-4, nan_ok=True
    )
    assert sum(bool(r["loss_change"]) for r in rows) == 4


def test_what_was_measured_is_kept_when_a_later_model_fails(folder, capsys):
    assert heads(folder, models=("early", "nowhere")) == 2
    assert "nowhere" in capsys.readouterr().err
    (kept,) = json.loads((folder / "r.json").read_text())
    assert kept["model"].endswith("early")


def test_a_model_may_be_spread_over_devices(folder):
    assert heads(folder, "--device=auto") == 0
    spread = (folder / "r.csv").read_text()
    assert heads(folder) == 0 and (folder / "r.csv").read_text() == spread


def test_revisions_come_from_the_hub_with_their_tokenizers(folder, tmp_path, monkeypatch, capsys):
    """As it lies in the hub's cache, which is all that there is without a network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    repository = tmp_path / "models--somebody--tiny"
    for revision in ("early", "late"):
        commit = f"{revision:0>40}"
        (repository / "snapshots").mkdir(parents=True, exist_ok=True)
        (repository / "snapshots" / commit).symlink_to(folder / revision)
        (repository / "refs").mkdir(exist_ok=True)
        (repository / "refs" / revision).write_text(commit)

    def analyze(*revisions):
        words = [f"--domain=code={folder}/code*.txt", "--length=16", "--samples=2"]
        files = ["-o", str(tmp_path / "r.html"), "--candidates=0", "--revisions", *revisions]
        return main(["analyze", "heads", "somebody/tiny", *words, *files])

    assert analyze("early", "late") == 0
    early, late = json.loads((tmp_path / "r.json").read_text())
    assert (early["model"], late["model"]) == ("somebody/tiny@early", "somebody/tiny@late")
    assert early["domains"]["code"]["loss"] != late["domains"]["code"]["loss"]
    assert analyze("nowhere") == 2
    assert "nor a folder, called somebody/tiny: " in capsys.readouterr().err


def test_nothing_is_written_when_one_file_cannot_be(tmp_path, monkeypatch):
    monkeypatch.setattr(report_page, "html", lambda reports: "page")
    (tmp_path / "r.csv").mkdir()
    with pytest.raises(UserError, match="cannot write"):
        report_page.write([], tmp_path / "r.html")
    assert [path.name for path in tmp_path.iterdir()] == ["r.csv"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--domain=code"], "takes NAME=FILES"),
        (["--domain=code=/nowhere/*.py"], "no text at /nowhere"),
        (["--length=1000"], "takes texts of up to 64 tokens"),
        (["--length=2"], "at least 4 tokens"),
        (["--candidates=-1"], "--candidates is how many"),
    ],
)
def test_bad_words_are_refused_in_a_sentence(folder, words, sentence, capsys):
    assert heads(folder, *words) == 2
    assert sentence in capsys.readouterr().err
