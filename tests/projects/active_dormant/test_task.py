"""The laws of the Bigram-Backcopy task and its relatives, and the counts they come from."""

import numpy as np
import pytest
import torch

from mmsuper.errors import UserError
from mmsuper.projects.active_dormant.data import sample
from mmsuper.projects.active_dormant.task import Counts, Task

SEED = [42, 27]


@pytest.fixture(scope="module")
def counts():
    return Counts.read()


def test_numbers_of_the_paper(counts):
    for k, share, entropy in ((3, 0.297, 2.2193), (5, 0.406, 2.1316)):
        task = Task(counts, k=k)
        assert task.marginal[list(task.triggers)].sum() == pytest.approx(share, abs=5e-4)
        tokens = torch.from_numpy(sample(task, 257, 512, SEED))
        ordinary = ~task.triggered(tokens[:, :-1])
        entropies = torch.special.entr(task.law(tokens)).sum(-1)[ordinary]
        assert float(entropies.mean()) == pytest.approx(entropy, abs=1e-4)
    assert Task(counts).triggers == (58, 43, 1)
    assert Task(counts, offset=1, k=2).triggers == (58, 43)
    assert Task(counts, k=-1, delimiter_p=0.1).triggers == (66,)
    assert (counts.bigram.sum(1) - counts.unigram).tolist() == [-1] + 64 * [0]


@pytest.mark.parametrize(
    ("kind", "bos_num", "bos", "delimiters"),
    [
        ("bbm", 0, [], [65]),
        ("bbm", 1, [65], [66]),
        ("bbm", 2, [65, 66], [67]),
        ("dormant_two_kinds_copies", 1, [65], [66, 67]),
    ],
)
def test_special_tokens_come_after_the_characters(counts, kind, bos_num, bos, delimiters):
    task = Task(counts, kind, bos_num=bos_num, delimiter_p=0.1)
    assert [*task.bos] == bos and [*task.delimiters] == delimiters
    assert task.vocab_size == 65 + len(bos + delimiters)
    read = "".join(map(task.name, range(task.vocab_size)))
    assert read == counts.characters + "<s>" * len(bos) + "<d>" * len(delimiters)


def test_delimiters_come_as_often_as_asked(counts):
    for kind, number in (("bbm", 1), ("dormant_two_kinds_copies", 2)):
        task = Task(counts, kind, delimiter_p=0.15)
        delimiters = task.transition[:65, task.delimiters]
        assert delimiters.shape[1] == number and delimiters == pytest.approx(0.15)
        assert task.transition[65:, 65:].sum() == 0
        assert task.transition.sum(1) == pytest.approx(1)


def test_a_text_and_its_table_give_the_same(tmp_path):
    text = "abracadabra é\n" * 3
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")
    counts = Counts.read(tmp_path / "text.txt")
    assert counts.characters == "".join(sorted(set(text)))
    assert counts.bigram[counts.characters.index("a"), counts.characters.index("b")] == 6
    counts.write(tmp_path / "table.json")
    again = Counts.read(tmp_path / "table.json")
    assert again.characters == counts.characters
    assert (again.unigram == counts.unigram).all() and (again.bigram == counts.bigram).all()


def test_damaged_tables_are_refused(tmp_path):
    for name, content in (("a.json", "{"), ("b.json", '{"characters": "ab"}'), ("c.txt", "aaa")):
        (tmp_path / name).write_text(content)
        with pytest.raises(UserError, match=r"table of counts|two distinct"):
            Counts.read(tmp_path / name)


def test_after_the_delimiter_every_character_stands_for_the_next(counts):
    task = Task(counts, "dormant_double_tasks", delimiter_p=0.05)
    plain = Task(counts)
    # One shift of the alphabet turns the second law into the first, without delimiters.
    for i in (0, 17, 64):
        shifted = np.roll(task.shifted_transition[i, :65], 1)
        assert shifted == pytest.approx(plain.transition[(i + 1) % 65, :65])
    assert task.shifted_transition[:, 66].sum() == 0
    assert np.roll(task.shifted_transition[66, :65], 1) == pytest.approx(plain.first[:65])
    inputs = torch.tensor([[65, 20, 58, 20, 57, 66, 20, 57, 20, 58]])
    assert task.triggered(inputs)[0].tolist() == 2 * [0] + [1] + 4 * [0] + [1] + 2 * [0]
    law = task.law(torch.cat([inputs, torch.tensor([[0]])], 1))[0]
    assert law[2, 20] == law[7, 20] == 1


def test_what_is_told_at_the_first_occurrence_is_repeated(counts):
    task = Task(counts, "dormant_Biette", k=1)
    tokens = torch.tensor([[65, 30, 1, 40, 41, 1, 30, 1, 30]])
    law = task.law(tokens)[0]
    assert law[2].tolist() == task.transition[1].tolist()
    assert law[5, 30] == law[7, 30] == 1


def test_the_second_delimiter_asks_for_the_next_character(counts):
    task = Task(counts, "dormant_two_kinds_copies", delimiter_p=0.1)
    law = task.law(torch.tensor([[65, 30, 66, 30, 67, 31, 64, 67, 0]]))[0]
    assert law[2, 30] == law[4, 31] == law[7, 0] == 1
