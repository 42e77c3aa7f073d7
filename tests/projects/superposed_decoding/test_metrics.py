"""Measurements of drafts against their definitions."""

import math

import numpy as np
import pytest
import torch
from tiny_llm import MODEL

from mmsuper.errors import UserError
from mmsuper.llm.causal_lm import CausalLM
from mmsuper.projects.superposed_decoding import metrics


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return CausalLM(config=MODEL).eval().model


def test_perplexity_is_of_the_drafts_own_tokens(model):
    prompt, drafts = [5, 9, 200], [[7, 7, 1, 30], [8], [299, 0]]
    found = metrics.perplexities(model, prompt, drafts)
    for draft, value in zip(drafts, found, strict=True):
        with torch.no_grad():
            logits = model(torch.tensor([prompt + draft])).logits[0].double().log_softmax(-1)
        places = range(len(prompt) - 1, len(prompt) + len(draft) - 1)
        nll = [-float(logits[i, token]) for i, token in zip(places, draft, strict=True)]
        assert value == pytest.approx(math.exp(np.mean(nll)), rel=1e-5)


def test_a_scorer_must_know_the_tokens(model):
    with pytest.raises(UserError, match="300 tokens cannot score drafts with token 300"):
        metrics.perplexities(model, [1], [[300]])


def test_self_bleu():
    assert metrics.self_bleu([[1, 2, 3, 4, 5]] * 3) == pytest.approx(1)
    assert metrics.self_bleu([[1, 2, 3, 4], [5, 6, 7, 8]]) == 0
    # One token of two matches, no bigram does: sqrt(1/2 * 0.1/1), both ways.
    assert metrics.self_bleu([[1, 2], [1, 3]]) == pytest.approx(math.sqrt(0.05))
    # The shorter draft is all matched but half as long.
    assert metrics.self_bleu([[1], [1, 2]]) == pytest.approx((math.exp(1 - 2) + 0.5) / 2)


def test_distinct():
    assert metrics.distinct([1, 2, 1, 2], 1) == 0.5
    assert metrics.distinct([1, 2, 1, 2], 2) == pytest.approx(2 / 3)
    assert math.isnan(metrics.distinct([1, 2], 3))


@pytest.mark.parametrize(
    "text, expected",
    [
        (" Paris, France", "Paris"),
        ("\nThe Thames.", "The Thames"),
        (" 12 to 14\nQ:", "12 to 14"),
        (" four", "four"),
        (".", ""),
    ],
)
def test_an_answer_ends_at_punctuation(text, expected):
    assert metrics.answer(text) == expected


def test_exact_match_by_rank():
    texts = [" London.", " Paris", " paris, of course"]
    assert metrics.exact_match(texts, ["Paris"]) == [False, True, True]
    assert metrics.exact_match(texts, ["paris"]) == [False, False, True]
    assert metrics.exact_match(texts, ["Rome"]) == [False, False, False]


SAMPLES = [
    {
        "prompt": [5, 9],
        "drafts": {"a": [[1, 2, 1], [1, 2, 3]], "b": [[4]]},
        "texts": {"a": [" x.", " y"], "b": [" y"]},
        "seconds": {"a": 0.25, "b": 0.5},
        "answers": ["y"],
    },
    {
        "prompt": [6],
        "drafts": {"a": [[1, 2], [1, 2]], "b": [[4, 4]]},
        "texts": {"a": [" z", " z"], "b": [" z"]},
        "seconds": {"a": 0.75, "b": 0.5},
        "answers": ["z"],
    },
]


def measured(metric):
    metric.process({}, SAMPLES)
    return metric.evaluate(len(SAMPLES))


def test_means_over_prompts():
    found = measured(metrics.DraftVariety())
    assert found["a/different"] == 1.5
    assert found["a/distinct_1"] == pytest.approx(np.mean([(2 / 3 + 1) / 2, 1]))
    assert found["a/distinct_3"] == 1  # the second prompt's drafts have no three tokens
    assert math.isnan(found["b/distinct_3"])
    assert found["b/distinct_1"] == 0.75
    assert "b/self_bleu" not in found
    assert measured(metrics.DraftLatency()) == {"a/milliseconds": 500, "b/milliseconds": 500}
    assert measured(metrics.DraftExactMatch()) == {"a/P@1": 50, "a/P@2": 100, "b/P@1": 100}


def test_perplexity_by_rank(model):
    metric = metrics.DraftPerplexity("a folder")
    metric.model = model
    found = measured(metric)
    table = [metrics.perplexities(model, s["prompt"], s["drafts"]["a"]) for s in SAMPLES]
    assert found["a/perplexity_1"] == pytest.approx(np.mean([row[0] for row in table]))
    assert found["a/perplexity_2"] == pytest.approx(np.mean([row[1] for row in table]))
    assert found["a/perplexity_best"] == pytest.approx(np.mean([min(row) for row in table]))
    assert set(found) == {
        *(f"a/perplexity_{name}" for name in (1, 2, "best")),
        *(f"b/perplexity_{name}" for name in (1, "best")),
    }
