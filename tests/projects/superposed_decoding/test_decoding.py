"""The decoding against the paper's formulas written out, and what it does at the edges."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from mmsuper.errors import UserError
from mmsuper.projects.superposed_decoding.decoding import (
    Draft,
    Settings,
    State,
    ranked,
    restart,
    start,
    step,
)
from mmsuper.projects.superposed_decoding.parity import Counts
from mmsuper.projects.superposed_decoding.presets import PRESETS, for_drafts, preset

VOCABULARY = 20
PROMPT = (3, 1, 4)


class Shares:
    """Rows made up from their contexts, some of them unseen, without equal counts."""

    orders = (1, 2)

    def rows(self, context, order):
        random = np.random.RandomState([order, *context[-order:]])
        if random.rand() < 0.2 or (order > 1 and self.rows(context, order - 1) is None):
            return None
        tokens = np.sort(random.permutation(VOCABULARY)[: random.randint(1, 12)])
        counts = random.rand(len(tokens))
        return tokens, counts, counts.sum()


@pytest.fixture(scope="module")
def counts():
    return Shares()


def logits(seed):
    return torch.from_numpy(np.random.RandomState(seed).randn(VOCABULARY).astype(np.float32) * 2)


def run(settings, ngrams, steps=5, seed=1):
    states = [start(PROMPT)]
    for i in range(steps):
        states.append(step(logits(100 * seed + i), states[-1], settings, ngrams))
    return states


def one_step_by_the_book(logits, drafts, settings, ngrams):
    """All joins of all drafts with the whole vocabulary, one number at a time."""
    exponents = [math.exp(x / settings.temperature) for x in logits.tolist()]
    kept = sorted(range(VOCABULARY), key=lambda t: -exponents[t])[: settings.kept]
    total = sum(exponents[t] for t in kept)
    joins = []
    for ids, score in drafts:
        g = dict.fromkeys(range(VOCABULARY), 0.0)
        for order, weight in enumerate(settings.weights, 1):
            context = (*PROMPT, *ids)
            row = ngrams.rows(context, order) if len(context) >= order else None
            for token, count in zip(*row[:2], strict=True) if row else []:
                g[int(token)] += weight * count / row[2]
        alpha = settings.alpha
        filtered = [t for t in kept if g[t]]
        for t in range(VOCABULARY) if settings.smoothing == "all" else filtered or kept:
            log_g = math.log(g[t]) if g[t] else -math.inf
            log_q = math.log(exponents[t] / total) if t in kept else -math.inf
            geom = (1 - alpha) * log_q + (alpha * log_g if filtered else -settings.penalty)
            joins.append((score + {"geom": geom, "all": log_g}[settings.smoothing], (*ids, t)))
    joins = sorted(join for join in joins if join[0] > -math.inf)[::-1][: 2 * settings.drafts]
    live = [join for join in joins if join[1][-1] not in settings.eos][: settings.drafts]
    return live, [join for join in joins if join[1][-1] in settings.eos]


@pytest.mark.parametrize("smoothing", ["geom", "all"])
@pytest.mark.parametrize("kept", [3, 9, VOCABULARY])
def test_steps_are_the_papers_formulas(smoothing, kept, counts):
    settings = Settings(
        kept=kept, temperature=0.5, weights=(0.1, 0.6), penalty=5, smoothing=smoothing, eos=(7, 8)
    )
    for seed in range(4):
        states = run(settings, counts, seed=seed)
        for i, (before, after) in enumerate(itertools.pairwise(states)):
            drafts = list(zip(before.drafts, before.scores.tolist(), strict=True))
            live, ended = one_step_by_the_book(logits(100 * seed + i), drafts, settings, counts)
            assert after.drafts == tuple(ids for _, ids in live)
            assert after.scores.tolist() == pytest.approx([s for s, _ in live], abs=1e-4)
            new = [d for d in after.finished if len(d.ids) == i + 1]
            assert {d.ids for d in new} <= {ids for _, ids in ended}
            if len(after.finished) < settings.drafts:
                assert len(new) == len(ended)


def test_without_n_grams_the_network_ranks_alone():
    alone = run(Settings(smoothing=None), None)[-1]
    for other in (Settings(), Settings(alpha=0)):
        state = run(other, None if other.alpha else Counts([[1, 2]], [1]))[-1]
        assert state.drafts == alone.drafts
        assert torch.equal(state.scores, alone.scores)


def test_the_first_step_gives_different_drafts():
    first = run(Settings(drafts=4), None, steps=1)[-1]
    assert [ids[0] for ids in first.drafts] == logits(100).topk(4).indices.tolist()


def test_scores_only_fall_and_weights_are_their_softmax(counts):
    for before, after in itertools.pairwise(run(Settings(temperature=1), counts)):
        assert after.scores.max() <= before.scores.max()
        assert after.scores.dtype == torch.float32
        assert after.weights.sum().item() == pytest.approx(1)
        assert after.weights[0] == after.weights.max()


def test_half_precision_logits_are_decoded_in_float32(counts):
    rounded = logits(5).bfloat16()
    states = [step(x, start(PROMPT), Settings(), counts) for x in (rounded, rounded.float())]
    assert torch.equal(states[0].scores, states[1].scores)


def test_a_draft_without_n_grams_pays_for_it():
    # Token 1 goes on with 2 or 3, of which the network keeps only 3; token 5 with nothing.
    counts = Counts([[1, 2], [1, 3]], orders=[1])
    state = State((0,), ((1,), (5,)), torch.tensor([-1.0, -0.5]))
    x = torch.full((VOCABULARY,), -50.0)
    x[[3, 9]] = 0.0
    settings = Settings(drafts=2, kept=2, temperature=1, alpha=0.5, weights=(1.0,), penalty=30)
    after = step(x, state, settings, counts)
    assert after.drafts[0] == (1, 3)
    half = 0.5 * math.log(0.5)  # of the network, and again of the counts
    assert after.scores.tolist() == pytest.approx([-1 + 2 * half, -0.5 + half - 30])
    assert after.drafts[1] in ((5, 3), (5, 9))


class Watched:
    """Notes what is looked up, and has seen contexts of up to so many tokens."""

    orders = (1, 2, 3, 4, 5, 6)

    def __init__(self, seen):
        self.seen, self.asked = seen, []

    def rows(self, context, order):
        self.asked.append(tuple(context[-order:]))
        return (np.array([4]), np.array([2]), 2) if order <= self.seen else None


# One look-up of the last token, which all three drafts share, three each of the last 2 to 5.
@pytest.mark.parametrize(("seen", "lengths"), [(9, [1, 3, 3, 3, 3]), (2, [1, 3, 3]), (0, [1])])
def test_each_context_is_looked_up_once_a_step(seen, lengths):
    watched = Watched(seen)
    state = State(PROMPT, ((1, 2), (5, 2), (6, 2)), torch.zeros(3))
    step(logits(0), state, Settings(weights=(0.5, 0.5, 0.1, 0.1, 0.1, 0.1)), watched)
    assert len(watched.asked) == len(set(watched.asked))
    expected = [order for order, times in enumerate(lengths, 1) for _ in range(times)]
    assert sorted(map(len, watched.asked)) == expected


def test_an_index_may_have_fewer_orders_than_there_are_weights(counts):
    few, many = (
        step(logits(0), start(PROMPT), Settings(weights=weights), counts)
        for weights in ((0.1, 0.6), (0.1, 0.6, 0.5))
    )
    assert torch.equal(few.scores, many.scores)


def test_drafts_that_ended_are_returned_by_score_or_by_score_per_token():
    state = State((0,), ((1, 2, 3),), torch.tensor([-3.0]), (Draft((7,), -2.0, True),))
    assert [d.finished for d in ranked(state, Settings())] == [True, False]
    assert [d.finished for d in ranked(state, Settings(normalize=True))] == [False, True]
    assert [d.finished for d in ranked(state, Settings(drafts=1))] == [True]
    assert [d.finished for d in ranked(state, Settings(compat="authors"))] == [False]


def test_where_all_joins_end_nothing_goes_on():
    x = torch.full((VOCABULARY,), -torch.inf)
    x[7] = 0.0
    state = step(x, start(PROMPT), Settings(eos=(7,)))
    assert state.drafts == ()
    assert len(state.weights) == 0
    assert ranked(state, Settings()) == (Draft((7,), 0.0, True),)


def test_impossible_joins_make_no_drafts():
    x = torch.full((VOCABULARY,), -torch.inf)
    x[[4, 6]] = 0.0
    assert sorted(step(x, start(PROMPT), Settings()).drafts) == [(4,), (6,)]


def test_the_authors_n_gram_model_has_no_bigrams():
    counts = Counts([[4, 5], [1, 4, 6]], orders=[1, 2])  # the prompt ends with 1, 4
    settings = Settings(smoothing="all", weights=(0.5, 0.5))
    assert sorted(step(logits(0), start(PROMPT), settings, counts).drafts) == [(5,), (6,)]
    theirs = step(logits(0), start(PROMPT), replace(settings, compat="authors"), counts)
    assert theirs.drafts == ((6,),)


def test_restarting_keeps_one_draft_and_what_has_ended(counts):
    state = run(Settings(temperature=1, eos=(2,)), counts)[-1]
    again = restart(state, 1)
    assert again.drafts == (state.drafts[1],)
    assert again.scores.tolist() == state.scores[1:2].tolist()
    assert again.finished == state.finished
    assert step(logits(9), again, Settings(), counts).drafts[0][:-1] == state.drafts[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"drafts": 0}, "drafts must be at least 1"),
        ({"max_new_tokens": 0}, "max_new_tokens must be at least 1"),
        ({"kept": 0}, "kept must be at least 1"),
        ({"temperature": 0}, "temperature must be above 0"),
        ({"temperature": math.nan}, "temperature must be above 0"),
        ({"alpha": 1.5}, "alpha must be between 0 and 1"),
        ({"smoothing": "some"}, "smoothing must be"),
        ({"compat": "paper"}, "compat must be"),
    ],
)
def test_settings_without_sense_are_refused(arguments, words):
    with pytest.raises(UserError, match=words):
        Settings(**arguments)


def test_presets():
    assert preset("p15_d10").temperature == 0.12
    assert for_drafts(5) is PRESETS["p15_d5"]
    assert for_drafts(7) == Settings(drafts=7)
    with pytest.raises(UserError, match="no preset 'p15'; there are p15_d3, "):
        preset("p15")
