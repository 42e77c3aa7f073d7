"""The wrapper against the model inside it."""

import pytest
import torch
from mmengine.structures import BaseDataElement
from tiny_llm import MODEL

from mmsuper.errors import UserError
from mmsuper.llm import load_model, load_tokenizer, perplexity
from mmsuper.llm.causal_lm import CausalLM
from mmsuper.llm.metrics import Perplexity


@pytest.fixture
def ids():
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(300, (n,), generator=generator) for n in (12, 7)]


def test_loss_is_the_models_own_over_all_tokens(model, ids):
    losses = [float(model.model(input_ids=i[None], labels=i[None]).loss) for i in ids]
    expected = (losses[0] * 11 + losses[1] * 6) / 17
    assert float(model(ids, mode="loss")["loss"]) == pytest.approx(expected, rel=1e-5)
    model(ids, mode="loss")["loss"].backward()
    assert all(p.grad is not None for p in model.parameters())
    model.zero_grad()


def test_predict_scores_the_last_tokens_of_windows_of_any_length(model, ids):
    samples = [BaseDataElement(text="a", scored=11), BaseDataElement(text="b", scored=2)]
    with torch.no_grad():
        first, second = model(ids, samples, mode="predict")
        logits = model(ids[1][None]).log_softmax(-1)[0]
    expected = -sum(float(logits[i - 1, ids[1][i]]) for i in (5, 6))
    assert second.nll == pytest.approx(expected, rel=1e-5)
    assert (first.text, first.tokens, second.text, second.tokens) == ("a", 11, "b", 2)


def test_metric_by_text_and_over_all():
    metric = Perplexity()
    metric.dataset_meta = {
        "texts": {"a": {"tokens": 3, "bytes": 6}, "b": {"tokens": 5, "bytes": 8}}
    }
    log2 = 0.6931471805599453
    samples = [("a", 2 * log2, 2), ("b", 4 * log2, 2), ("b", 4 * log2, 2)]
    found = metric.compute_metrics(samples)
    expected = {
        "a/perplexity": 2.0,
        "a/bits_per_byte": 1 * 3 / 6,
        "b/perplexity": 4.0,
        "b/bits_per_byte": 2 * 5 / 8,
        "perplexity": 2 ** (10 / 6),
        "bits_per_byte": (3 + 10) / 14,
    }
    assert found == pytest.approx(expected)


def test_mmengine_does_not_draw_weights_anew(folder):
    loaded = CausalLM(pretrained=str(folder))
    before = {key: value.clone() for key, value in loaded.state_dict().items()}
    loaded.init_weights()
    assert all(torch.equal(value, before[key]) for key, value in loaded.state_dict().items())


def test_a_folder_gives_the_model_that_was_saved(model, folder, ids):
    loaded = load_model(folder)
    with torch.no_grad():
        torch.testing.assert_close(loaded(ids[0][None]).logits, model(ids[0][None]))
    assert not loaded.training
    assert load_model(folder, dtype="bfloat16").dtype == torch.bfloat16
    assert perplexity(loaded, ids[0], 8) > 1


def test_accelerate_s_placement_is_left_alone(folder):
    placed = CausalLM(pretrained=str(folder), device_map="cpu")
    assert placed.to("meta") is placed
    assert {p.device.type for p in placed.parameters()} == {"cpu"}
    assert placed.data_preprocessor.device == torch.device("cpu")


def test_unusable_models_are_refused_in_a_sentence(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    with pytest.raises(UserError, match="no model at /none/there"):
        load_model("/none/there")
    with pytest.raises(UserError, match=r"has a config\.json"):
        load_model(tmp_path)
    with pytest.raises(UserError, match="no usable tokenizer in"):
        load_tokenizer(tmp_path)
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    weights = load_file(folder / "model.safetensors")
    weights.pop("model.norm.weight")
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match=r"lack 1 tensors, such as model\.norm\.weight"):
        load_model(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"cut short")
    with pytest.raises(UserError, match="no usable model in"):
        load_model(tmp_path)
    with pytest.raises(UserError, match="takes pretrained"):
        CausalLM()
    with pytest.raises(UserError, match="makes no causal language model"):
        CausalLM(config={**MODEL, "model_type": "no such type"})
