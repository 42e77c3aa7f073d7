"""The Bigram-Backcopy task: sequences, laws, counts, batches."""

from typing import get_args

import numpy as np
import pytest
import torch

from mmsuper.errors import UserError
from mmsuper.projects.active_dormant.data import (
    BigramBackcopy,
    Counts,
    Kind,
    Task,
    sample,
    sample_plain,
)

SEED = [42, 27]
FIXED = [kind for kind in get_args(Kind) if "interpolate" not in kind]
MIXED = [kind for kind in get_args(Kind) if "interpolate" in kind]


@pytest.fixture(scope="module")
def counts():
    return Counts.read()


@pytest.mark.parametrize("bos_num", [0, 1, 2])
@pytest.mark.parametrize("kind", FIXED)
def test_sampling_at_once_is_the_plain_loop(counts, kind, bos_num):
    task = Task(counts, kind, delimiter_p=0.1, bos_num=bos_num)
    plain = sample_plain(task, 30, 12, np.random.default_rng(SEED))
    assert (sample(task, 30, 12, SEED) == plain).all()
    assert (sample(task, 30, 5, SEED, start=7) == plain[7:]).all()
    assert (plain[:, :bos_num] == task.bos).all() and (plain[:, bos_num:] != task.bos).all()


@pytest.mark.parametrize("kind", MIXED)
@pytest.mark.parametrize("mix_p", [0.0, 1.0])
def test_mixed_kinds_lie_between_their_ends(counts, kind, mix_p):
    ends = {"bbm_interpolate": "bbm", "dormant_markov_interpolate": "dormant_markov"}
    task, end = Task(counts, kind, mix_p=mix_p), Task(counts, ends[kind])
    tokens = torch.from_numpy(sample(task, 40, 50, SEED))
    law = task.law(tokens)
    expected = end.law(tokens) if mix_p else torch.from_numpy(end.transition)[tokens[:, :-1]]
    assert torch.equal(law, expected)
    likely = law.gather(2, tokens[:, 1:, None])[:, 1:]
    assert (likely > 0).all()


@pytest.mark.parametrize("kind", get_args(Kind))
def test_sequences_follow_the_law_that_is_stated(counts, kind):
    mix_p = 0.5 if kind in MIXED else None
    task = Task(counts, kind, k=2, mix_p=mix_p, delimiter_p=0.2)
    tokens = torch.from_numpy(sample(task, 40, 800, SEED))
    law = task.law(tokens)[:, 1:]
    assert law.sum(-1).allclose(torch.ones((), dtype=law.dtype))
    # Of all places together, each token occurs as often as the laws of the places say.
    found = torch.bincount(tokens[:, 2:].flatten(), minlength=task.vocab_size)
    deviation = (law * (1 - law)).sum((0, 1)).sqrt()
    assert ((found - law.sum((0, 1))).abs() <= 5 * deviation + 1e-9).all()


def test_numbers_of_the_paper(counts):
    for k, share, entropy in ((3, 0.297, 2.2193), (5, 0.406, 2.1316)):
        task = Task(counts, k=k)
        assert task.marginal[list(task.triggers)].sum() == pytest.approx(share, abs=5e-4)
        tokens = torch.from_numpy(sample(task, 257, 512, SEED))
        ordinary = ~task.triggered(tokens[:, :-1])
        entropies = torch.special.entr(task.law(tokens)).sum(-1)[ordinary]
        assert float(entropies.mean()) == pytest.approx(entropy, abs=1e-4)
    assert sorted(Task(counts).triggers) == [1, 43, 58]
    assert Task(counts, offset=1, k=2).triggers == (43, 58)
    assert Task(counts, k=-1, delimiter_p=0.1).triggers == (66,)
    assert (counts.bigram.sum(1) - counts.unigram).tolist() == [-1] + 64 * [0]


def test_delimiter_comes_as_often_as_asked(counts):
    task = Task(counts, delimiter_p=0.15)
    assert task.transition[:65, 66] == pytest.approx(0.15)
    assert task.transition[65:, 65:].sum() == 0


def test_an_output_of_a_sequence_stays_the_same(counts):
    task = Task(counts, "default", k=1)
    for row in sample(task, 200, 10, SEED):
        after = row[1:][row[:-1] == task.triggers[0]]
        assert len(after) > 3 and len(set(after)) == 1


def test_a_text_and_its_table_give_the_same(tmp_path):
    text = "abracadabra é\n" * 3
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    counts = Counts.read(tmp_path / "text.txt")
    assert counts.characters == "".join(sorted(set(text)))
    assert counts.bigram[counts.characters.index("a"), counts.characters.index("b")] == 6
    counts.write(tmp_path / "table.json")
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


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": "bbn"}, "no task 'bbn'"),
        ({"kind": "bbm_interpolate"}, "mix_p"),
        ({"mix_p": 0.5}, "mix_p"),
        ({"delimiter_p": 1.0}, "delimiter_p"),
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


def test_damaged_tables_are_refused(tmp_path):
    for name, content in (("a.json", "{"), ("b.json", '{"characters": "ab"}'), ("c.txt", "aaa")):
        (tmp_path / name).write_text(content)
        with pytest.raises(UserError, match=r"table of counts|two distinct"):
            Counts.read(tmp_path / name)
