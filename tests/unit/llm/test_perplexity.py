"""The protocol against transformers' own loss over the same windows."""

import math

import pytest
import torch

from mmsuper.errors import UserError
from mmsuper.llm import perplexity
from mmsuper.llm.perplexity import windows


def by_transformers(model, ids, window, stride):
    """Mean of the library's loss over windows, weighted by what each scores."""
    total = count = done = 0
    for begin in range(0, len(ids), stride):
        end = min(begin + window, len(ids))
        part = torch.tensor([ids[begin:end]])
        labels = part.clone()
        labels[:, : done - begin] = -100
        scored = int((labels[:, 1:] != -100).sum())
        if scored:
            total += float(model(input_ids=part, labels=labels).loss) * scored
        count, done = count + scored, end
        if end == len(ids):
            break
    return math.exp(total / count)


@pytest.mark.parametrize(("length", "window", "stride"), [(90, 16, 16), (90, 16, 5), (10, 16, 8)])
def test_equals_the_libraries_own_loss(model, length, window, stride):
    ids = torch.randint(300, (length,), generator=torch.Generator().manual_seed(1)).tolist()
    with torch.no_grad():
        expected = by_transformers(model.model, ids, window, stride)
    assert perplexity(model.model, ids, window, stride) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("stride", [1, 3, 8])
@pytest.mark.parametrize("length", [2, 8, 9, 30])
def test_every_token_with_one_before_it_is_scored_once(length, stride):
    found = list(windows(length, 8, stride))
    scored = [i for _, end, count in found for i in range(end - count, end)]
    expected = [i for i in range(1, length) if stride < 8 or i % 8]
    assert scored == expected
    assert all(0 <= begin < end - count for begin, end, count in found)


def test_impossible_windows_and_texts_are_refused(model):
    with pytest.raises(UserError, match="cannot move by 9"):
        list(windows(20, 8, 9))
    with pytest.raises(UserError, match="at least two tokens"):
        perplexity(model.model, [5], 8)
