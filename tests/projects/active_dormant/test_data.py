"""Sampling of the Bigram-Backcopy task: sequences, their order, batches."""

from typing import get_args

import numpy as np
import pytest
import torch

from mmsuper.errors import UserError
from mmsuper.projects.active_dormant.data import EXACT, BigramBackcopy, sample, sample_plain
from mmsuper.projects.active_dormant.task import Counts, Kind, Task

SEED = [42, 27]
KINDS = get_args(Kind)
MIXED = [kind for kind in KINDS if kind.endswith("_interpolate")]


@pytest.fixture(scope="module")
def counts():
    return Counts.read()


@pytest.mark.parametrize("bos_num", [0, 1, 2])
@pytest.mark.parametrize("kind", EXACT)
def test_sampling_at_once_is_the_plain_loop(counts, kind, bos_num):
    task = Task(counts, kind, delimiter_p=0.1, bos_num=bos_num)
    plain = sample_plain(task, 30, 12, np.random.default_rng(SEED))
    assert (sample(task, 30, 12, SEED) == plain).all()
    assert (sample(task, 30, 5, SEED, start=7) == plain[7:]).all()
    assert (plain[:, :bos_num] == np.array(task.bos)).all()
    assert not np.isin(plain[:, bos_num:], task.bos).any()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in EXACT])
def test_other_kinds_go_on_in_their_stream(counts, kind):
    task = Task(counts, kind, mix_p=0.5 if kind in MIXED else None, delimiter_p=0.1)
    assert (sample(task, 30, 5, SEED, start=7) == sample(task, 30, 12, SEED)[7:]).all()


@pytest.mark.parametrize("kind", MIXED)
@pytest.mark.parametrize("mix_p", [0.0, 1.0])
def test_mixed_kinds_lie_between_their_ends(counts, kind, mix_p):
    task, end = Task(counts, kind, mix_p=mix_p), Task(counts, kind.removesuffix("_interpolate"))
    tokens = torch.from_numpy(sample(task, 40, 50, SEED))
    law = task.law(tokens)
    expected = end.law(tokens) if mix_p else torch.from_numpy(end.transition)[tokens[:, :-1]]
    assert torch.equal(law, expected)
    likely = law.gather(2, tokens[:, 1:, None])[:, 1:]
    assert (likely > 0).all()


@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_sequences_follow_the_law_that_is_stated(counts, kind, plain):
    mix_p = 0.5 if kind in MIXED else None
    task = Task(counts, kind, k=2, mix_p=mix_p, delimiter_p=0.1)
    if plain:
        tokens = sample_plain(task, 40, 150, np.random.default_rng(SEED))
    else:
        tokens = sample(task, 40, 800, SEED)
    tokens = torch.from_numpy(tokens)
    first = torch.from_numpy(task.first).expand(len(tokens), 1, -1)
    law = torch.cat([first, task.law(tokens)[:, 1:]], 1)
    assert law.sum(-1).allclose(torch.ones((), dtype=law.dtype))
    assert (law.gather(2, tokens[:, 1:, None]) > 0).all()
    # Of all places together, and at the first one, each token occurs as often as its laws say.
    for these, drawn in ((law, tokens[:, 1:]), (law[:, :1], tokens[:, 1])):
        found = torch.bincount(drawn.flatten(), minlength=task.vocab_size)
        deviation = (these * (1 - these)).sum((0, 1)).sqrt()
        assert ((found - these.sum((0, 1))).abs() <= 5 * deviation + 2).all()


def test_an_output_of_a_sequence_stays_the_same(counts):
    task = Task(counts, "default", k=1)
    for row in sample(task, 200, 10, SEED):
        after = row[1:][row[:-1] == task.triggers[0]]
        assert len(after) > 3 and len(set(after)) == 1


def test_a_text_and_its_table_give_the_same(tmp_path):
    (tmp_path / "text.txt").write_text("abracadabra é\n" * 3, encoding="utf-8")
    Counts.read(tmp_path / "text.txt").write(tmp_path / "table.json")
    data = BigramBackcopy(4, 20, counts="table.json", data_root=str(tmp_path), k=1)
    again = BigramBackcopy(4, 20, counts="text.txt", data_root=str(tmp_path), k=1)
    assert torch.equal(data[0]["inputs"], again[0]["inputs"])
    assert data.metainfo["task"].vocab_size == 10


def test_items_are_batches_of_one_stream(counts):
    data = BigramBackcopy(8, 30, length=3, seed=SEED)
    whole = sample(Task(counts), 31, 24, SEED)
    assert len(data) == 3
    assert torch.cat([data[i]["inputs"] for i in range(3)]).equal(torch.from_numpy(whole))
    batch = data[2]
    assert torch.equal(batch["triggered"], data.metainfo["task"].triggered(batch["inputs"][:, :-1]))


def test_items_in_the_authors_order_are_the_plain_loop(counts):
    data = BigramBackcopy(3, 20, length=2, seed=SEED, kind="default", exact_order=True)
    plain = sample_plain(Task(counts, "default"), 21, 6, np.random.default_rng(SEED))
    assert torch.cat([data[i]["inputs"] for i in range(2)]).equal(torch.from_numpy(plain))
    # The outputs of a sequence's triggers are drawn before it, the rarest trigger's first.
    outputs = np.random.default_rng(SEED).choice(65, 3)
    for trigger, output in zip((58, 43, 1), outputs, strict=True):
        after = plain[0, 1:][plain[0, :-1] == trigger]
        assert set(after) <= {output}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": "bbn"}, "no task 'bbn'"),
        ({"kind": "bbm_interpolate"}, "mix_p"),
        ({"mix_p": 0.5}, "mix_p"),
        ({"delimiter_p": 1.0}, "delimiter_p"),
        ({"kind": "dormant_two_kinds_copies", "delimiter_p": 0.5}, "delimiter_p"),
        ({"kind": "dormant_two_kinds_copies"}, "takes a delimiter_p"),
        ({"kind": "dormant_double_tasks", "delimiter_p": 0.1, "k": -1}, "are characters"),
        ({"k": -1}, "delimiter_p"),
        ({"k": 65}, "too few"),
        ({"k": 60, "offset": 10}, "too few"),
        ({"seq_length": 0}, "no place"),
        ({"counts": "nowhere.txt"}, "nowhere.txt"),
    ],
)
def test_what_does_not_fit_is_refused(options, said):
    with pytest.raises(UserError, match=said):
        BigramBackcopy(4, **options)
