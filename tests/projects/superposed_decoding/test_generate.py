"""Superposed Decoding with models of transformers: tiny ones with random weights."""

import itertools

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

import mmsuper.projects.superposed_decoding
from mmsuper.errors import UserError
from mmsuper.projects.superposed_decoding.decoding import Settings
from mmsuper.projects.superposed_decoding.generate import (
    custom_generate,
    spliced_generate,
    stream,
    superposed_generate,
)
from mmsuper.projects.superposed_decoding.network import SharedPass
from mmsuper.projects.superposed_decoding.parity import Counts

SIZES = {
    "vocab_size": 259,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "eos_token_id": 256,
    "bos_token_id": 257,
    "pad_token_id": 258,
    "initializer_range": 0.3,
}
OTHER = {"n_embd": 32, "n_layer": 2, "n_head": 4, **SIZES}
FAMILIES = {
    "Llama": (transformers.LlamaForCausalLM, transformers.LlamaConfig),
    "Mistral": (transformers.MistralForCausalLM, transformers.MistralConfig),
    "Qwen2": (transformers.Qwen2ForCausalLM, transformers.Qwen2Config),
    "Qwen3": (transformers.Qwen3ForCausalLM, transformers.Qwen3Config),
    "Gemma": (transformers.GemmaForCausalLM, transformers.GemmaConfig),
    "Gemma2": (transformers.Gemma2ForCausalLM, transformers.Gemma2Config),
    "Gemma3": (transformers.Gemma3ForCausalLM, transformers.Gemma3TextConfig),
    "GPT-2": (transformers.GPT2LMHeadModel, transformers.GPT2Config),
    "OPT": (transformers.OPTForCausalLM, transformers.OPTConfig),
    "Bloom": (transformers.BloomForCausalLM, transformers.BloomConfig),
}
PROMPTS = ["One forward pass", "drafts", "a much longer prompt than these"]


def make(family):
    torch.manual_seed(0)
    model, config = FAMILIES[family]
    return model(config(**(OTHER if family in ("GPT-2", "Bloom") else SIZES))).eval()


@pytest.fixture(scope="module")
def model():
    return make("Llama")


@pytest.fixture(scope="module")
def tokenizer():
    letters = {letter: i for i, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    inner = Tokenizer(models.BPE(letters, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    special = {"eos_token": "<end>", "bos_token": "<start>", "pad_token": "<pad>"}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=inner, **special)


@pytest.fixture(scope="module")
def counts(tokenizer):
    documents = [tokenizer(text).input_ids for text in (*PROMPTS, *"abcdefghij")]
    random = np.random.RandomState(0).randint(0, 256, (400, 6)).tolist()
    return Counts(documents + random, orders=[1, 2])


def told(results):
    """What can be compared of drafts."""
    return [[(d.ids, pytest.approx(d.score, abs=0.02)) for d in r.drafts] for r in results]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_mix_of_one_token_is_that_token(family):
    network = SharedPass(make(family))
    prompts = [[5, 6, 7], [8, 9, 10]]
    network.read(prompts)
    one_hot = torch.tensor([[0.0, 1.0, 0.0]] * 2)
    mixed = network.feed(torch.tensor([[3, 40, 5], [6, 70, 8]]), one_hot)
    mixed_again = network.feed(torch.tensor([[20], [20]]), torch.ones(2, 1))
    read = [[*ids, token] for ids, token in zip(prompts, (40, 70), strict=True)]
    torch.testing.assert_close(mixed, network.read(read), atol=2e-5, rtol=0)
    torch.testing.assert_close(
        mixed_again, network.read([[*ids, 20] for ids in read]), atol=2e-5, rtol=0
    )
    assert (mixed[0] - mixed[1]).abs().max() > 0.01  # there is something to tell apart


@pytest.mark.parametrize("family", ["Llama", "Mistral", "Qwen2", "Gemma3", "GPT-2", "Bloom"])
def test_prompts_of_any_length_decode_together_as_they_do_alone(family, tokenizer, counts):
    model = make(family)
    together = superposed_generate(model, tokenizer, PROMPTS, k=3, ngram=counts)
    alone = [superposed_generate(model, tokenizer, p, k=3, ngram=counts)[0] for p in PROMPTS]
    assert told(together) == told(alone)
    for ours, theirs in zip(together, alone, strict=True):
        torch.testing.assert_close(ours.weights, theirs.weights, atol=1e-2, rtol=0)
    assert len({result.texts for result in together}) == 3


def test_a_mix_is_the_weighted_mean_of_embeddings(model):
    network = SharedPass(model)
    network.read([[5, 6, 7]])
    mixed = network.feed(torch.tensor([[10, 20]]), torch.tensor([[0.25, 0.75]]))
    table = model.get_input_embeddings().weight
    inputs = torch.cat([table[[5, 6, 7]], 0.25 * table[10:11] + 0.75 * table[20:21]])
    expected = model(inputs_embeds=inputs[None]).logits[:, -1]
    torch.testing.assert_close(mixed, expected.detach(), atol=2e-5, rtol=0)


def test_one_draft_without_n_grams_is_greedy_decoding(model, tokenizer):
    ids = tokenizer(PROMPTS[0], return_tensors="pt").input_ids
    greedy = model.generate(ids, max_new_tokens=8, do_sample=False, eos_token_id=None)
    (result,) = superposed_generate(model, tokenizer, PROMPTS[0], k=1, max_new_tokens=8)
    assert list(result.drafts[0].ids) == greedy[0, ids.shape[1] :].tolist()
    assert result.effective == (1.0,) * 8


def test_what_a_result_tells(model, tokenizer):
    settings = Settings(temperature=5.0)
    (result,) = superposed_generate(
        model, tokenizer, PROMPTS[0], k=3, max_new_tokens=4, settings=settings
    )
    assert result.prompt == tuple(tokenizer(PROMPTS[0]).input_ids)
    assert list(result.scores) == sorted(result.scores, reverse=True)
    assert result.finished == (False, False, False)
    assert [tokenizer.decode(d.ids) for d in result.drafts] == list(result.texts)
    assert len(result.weights) == 4
    for weights, effective in zip(result.weights, result.effective, strict=True):
        assert effective == pytest.approx(1 / float((weights**2).sum()))
        assert 1 < effective <= 3


def test_a_stream_shows_every_step_and_ends_as_generation_does(model, tokenizer, counts):
    steps = list(stream(model, tokenizer, PROMPTS[:2], max_new_tokens=5, ngram=counts))
    assert [{len(d.ids) for r in step for d in r.drafts} for step in steps] == [
        {1}, {2}, {3}, {4}, {5}
    ]  # fmt: skip
    whole = superposed_generate(model, tokenizer, PROMPTS[:2], max_new_tokens=5, ngram=counts)
    assert told(steps[-1]) == told(whole)


class Only(transformers.LogitsProcessor):
    """Leaves only some tokens after the first."""

    def __init__(self, first, others):
        self.first, self.others, self.shapes = first, others, []

    def __call__(self, input_ids, scores):
        self.shapes.append(tuple(input_ids.shape))
        tokens = self.first if len(self.shapes) == 1 else self.others
        out = torch.full_like(scores, -torch.inf)
        out[:, tokens] = scores[:, tokens]
        return out


def test_drafts_end_and_are_returned(model, tokenizer):
    processors = transformers.LogitsProcessorList([Only([65, 66, 256], [67, 256])])
    (result,) = superposed_generate(
        model, tokenizer, "text", k=4, max_new_tokens=3, logits_processor=processors
    )
    assert all(
        finished == (draft.ids[-1] == 256)
        for finished, draft in zip(result.finished, result.drafts, strict=True)
    )
    assert (256,) in {draft.ids for draft in result.drafts}
    assert "" in result.texts  # the end of the text is no text
    assert processors[0].shapes == [(1, 4), (1, 5), (1, 6)]


def test_generation_stops_when_all_drafts_have_ended(model, tokenizer):
    processors = transformers.LogitsProcessorList([Only([65, 66], [256])])
    steps = list(stream(model, tokenizer, ["text"], logits_processor=processors))
    assert len(steps) == 2
    assert steps[-1][0].finished == (True, True)
    assert steps[-1][0].effective[-1] == 0


def test_restarts_read_one_draft_as_it_stands(model, tokenizer):
    greedy = superposed_generate(model, tokenizer, PROMPTS, k=1)
    assert told(superposed_generate(model, tokenizer, PROMPTS, k=1, reset_every=2)) == told(greedy)
    options = {"settings": Settings(temperature=5.0), "max_new_tokens": 6}
    (result,) = superposed_generate(model, tokenizer, PROMPTS[0], reset_every=4, **options)
    assert len({draft.ids[:4] for draft in result.drafts}) == 1
    (without,) = superposed_generate(model, tokenizer, PROMPTS[0], **options)
    assert told([result]) != told([without])
    seeds = [
        superposed_generate(model, tokenizer, "x", reset_every=1, seed=seed, **options)[0].texts
        for seed in (0, 0, 1, 2, 3)
    ]
    assert seeds[0] == seeds[1]
    assert len(set(seeds)) > 1


def test_drafts_on_top_of_samples(model, tokenizer):
    sampled, again = (
        spliced_generate(model, tokenizer, "x", 3, 5, seed=1, k=2, max_new_tokens=2)
        for _ in range(2)
    )
    assert [len(result.prompt) for result in sampled] == [6, 6, 6]
    assert len({result.prompt for result in sampled}) > 1
    assert told(sampled) == told(again)
    prompts = [result.prompt for result in sampled]
    assert told(sampled) == told(
        superposed_generate(model, tokenizer, prompts, k=2, max_new_tokens=2)
    )


def padded(tokenizer, side):
    return tokenizer(PROMPTS, return_tensors="pt", padding=True, padding_side=side)


@pytest.mark.parametrize("cache", [None, "static"])
def test_generate_takes_it_as_a_way_to_decode(cache, model, tokenizer, counts):
    found = model.generate(
        **padded(tokenizer, "left"),
        custom_generate=custom_generate,
        drafts=2,
        ngram=counts,
        max_new_tokens=4,
        return_dict_in_generate=True,
        cache_implementation=cache,
        disable_compile=True,
    )
    expected = superposed_generate(model, tokenizer, PROMPTS, k=2, max_new_tokens=4, ngram=counts)
    length = max(len(result.prompt) for result in expected)
    assert found.sequences.shape == (6, length + 4)
    rows = iter(zip(found.sequences, found.sequences_scores, strict=True))
    for result in expected:
        for draft, (row, score) in zip(result.drafts, itertools.islice(rows, 2), strict=True):
            pads = [258] * (4 - len(draft.ids))
            ids = [*result.prompt, *draft.ids, *pads]
            assert row[length - len(result.prompt) :].tolist() == ids
            assert score.item() == pytest.approx(draft.score, abs=1e-3)


def test_generate_applies_its_processors_and_criteria(model, tokenizer):
    ids = tokenizer("One", return_tensors="pt").input_ids
    options = {"custom_generate": custom_generate, "drafts": 3, "max_new_tokens": 6}
    plain = model.generate(ids, **options)
    assert plain.shape == (3, 9)
    unwanted = plain[0, 3].item()
    other = model.generate(ids, suppress_tokens=[unwanted], **options)
    assert unwanted not in other[:, 3:]
    stop = transformers.StoppingCriteriaList([lambda ids, scores, **_: ids.shape[1] == 5])
    assert model.generate(ids, stopping_criteria=stop, **options).shape == (3, 5)


def test_padding_on_the_right_is_refused(model, tokenizer):
    with pytest.raises(UserError, match="padded on the left"):
        model.generate(
            **padded(tokenizer, "right"), custom_generate=custom_generate, max_new_tokens=2
        )


def test_prompts_may_be_ids_and_must_hold_something(model, tokenizer):
    ids = tokenizer("One").input_ids
    texts = superposed_generate(model, tokenizer, "One")
    assert told(superposed_generate(model, tokenizer, ids)) == told(texts)
    assert told(superposed_generate(model, tokenizer, [ids, "One"])) == told(texts * 2)
    for empty in ("", [], [""], [[], ids]):
        with pytest.raises(UserError, match="an empty prompt"):
            superposed_generate(model, tokenizer, empty)


def test_settings_say_what_the_arguments_do_not(model, tokenizer):
    settings = Settings(drafts=2, max_new_tokens=4)
    given = ({"settings": settings}, {"settings": Settings(), "k": 2, "max_new_tokens": 4})
    ours, same = (superposed_generate(model, tokenizer, "One", **options) for options in given)
    assert [len(draft.ids) for draft in ours[0].drafts] == [4, 4]
    assert told(ours) == told(same)
    ids = tokenizer("One", return_tensors="pt").input_ids
    options = {"custom_generate": custom_generate, "max_new_tokens": 4}
    assert model.generate(ids, settings=settings, **options).shape == (2, 7)
    assert model.generate(ids, settings=settings, drafts=1, **options).shape == (1, 7)
    with pytest.raises(UserError, match="drafts must be at least 1"):
        superposed_generate(model, tokenizer, "One", k=0)


def test_models_that_cannot_be_fed_mixes_are_refused():
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    t5 = transformers.T5ForConditionalGeneration(transformers.T5Config(vocab_size=32, **sizes))
    with pytest.raises(UserError, match="T5ForConditionalGeneration is an encoder-decoder"):
        SharedPass(t5)
    config = transformers.Gemma3nTextConfig(
        **{**SIZES, "intermediate_size": [48, 48], "vocab_size_per_layer_input": 259},
        hidden_size_per_layer_input=8,
        layer_types=["full_attention", "full_attention"],
        activation_sparsity_pattern=[0.0, 0.0],
        num_kv_shared_layers=0,
        laurel_rank=4,
    )
    with pytest.raises(UserError, match="looks its tokens up in every layer"):
        SharedPass(transformers.Gemma3nForCausalLM(config))
    mamba = transformers.MambaForCausalLM(
        transformers.MambaConfig(vocab_size=32, hidden_size=16, state_size=4, num_hidden_layers=1)
    )
    with pytest.raises(UserError, match="MambaForCausalLM takes no past_key_values"):
        SharedPass(mamba)


def test_generate_finds_it_in_the_projects_folder(model, tokenizer, monkeypatch, tmp_path):
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path))
    ids = tokenizer("One", return_tensors="pt").input_ids
    options = {"drafts": 2, "max_new_tokens": 3}
    (folder,) = mmsuper.projects.superposed_decoding.__path__
    found = model.generate(ids, custom_generate=folder, trust_remote_code=True, **options)
    assert torch.equal(found, model.generate(ids, custom_generate=custom_generate, **options))
