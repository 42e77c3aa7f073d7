"""A toy model as a GPT-2, with its tokenizer and texts."""

import pytest
import torch

from mmsuper.errors import UserError
from mmsuper.projects.active_dormant import gpt2, probe
from mmsuper.projects.active_dormant.network import ToyTransformer
from mmsuper.projects.active_dormant.task import Counts, Task

SMALL = {"dim": 16, "n_layers": 2, "n_heads": 2, "max_length": 24}


@pytest.fixture(scope="module")
def task():
    return Task(Counts.read())


@torch.no_grad()
def test_logits_are_the_same():
    torch.manual_seed(0)
    network = ToyTransformer(**SMALL).eval()
    for parameter in network.parameters():
        parameter.normal_(std=0.5)
    tokens = torch.randint(0, 67, (3, 20))
    model = gpt2.to_gpt2(network)
    torch.testing.assert_close(model(tokens).logits, network(tokens))
    probe.check(model)


@pytest.mark.parametrize(
    "switches",
    [
        {"attn_use_relu": True}, {"no_attn": (1,)}, {"no_ffn": (0,)}, {"linear_ffn": (0,)},
        {"pre_norm": False}, {"no_norm": True}, {"no_wv": True}, {"sin_cos": True},
    ],
)  # fmt: skip
def test_other_forms_are_refused(switches):
    with pytest.raises(UserError, match="form of a GPT-2"):
        gpt2.to_gpt2(ToyTransformer(**SMALL, **switches))


def test_characters_are_tokens(task):
    tokenizer = gpt2.tokenizer(task)
    text = "To be,\nor not?"
    ids = [65, *(task.counts.characters.index(c) for c in text)]
    assert tokenizer(text)["input_ids"] == ids
    assert tokenizer.decode(ids[1:]) == text
    assert tokenizer("é")["input_ids"] == [65, 66]


def test_one_text_has_triggers_and_one_has_none(task):
    found = gpt2.texts(task, 2000)
    triggers = [task.name(trigger) for trigger in task.triggers]
    assert all(len(text) == 2000 for text in found.values())
    assert sum(map(found["copying"].count, triggers)) > 400
    assert not any(trigger in found["plain"] for trigger in triggers)
