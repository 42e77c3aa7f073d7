"""The two errors of commands."""

import pytest
from torch.utils.data import DataLoader, Dataset

from mmsuper.errors import CheckFailed, UserError


class Damaged(Dataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        raise UserError("picture.png is damaged: cut short")


def test_a_sentence_stays_one_when_a_data_loading_process_hands_it_on():
    with pytest.raises(UserError) as caught:
        next(iter(DataLoader(Damaged(), num_workers=1)))
    assert "Traceback" in caught.value.args[0]
    assert str(caught.value) == "picture.png is damaged: cut short"


@pytest.mark.parametrize(("kind", "code"), [(UserError, 2), (CheckFailed, 1)])
def test_text_and_exit_code(kind, code):
    assert str(kind("what: where")) == "what: where"
    assert kind.exit_code == code
