import math

import pytest
import torch

from mmsuper.engine.schedulers import LaggingCosineLR


def trained_with(lr, epochs, state=None):
    """The learning rate of each epoch, stepped as MMEngine's hook does."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler = LaggingCosineLR(optimizer, warmup=5, warmup_lr=1e-6, min_lr=1e-5, end=300)
    if state is not None:
        scheduler.load_state_dict(state[0])
        optimizer.load_state_dict(state[1])
    rates = []
    for _ in range(epochs):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates, (scheduler.state_dict(), optimizer.state_dict())


@pytest.mark.parametrize("lr", [1e-3, 2.5e-4])
def test_every_epoch_is_the_authors(lr):
    expected = [1e-6, 1e-6]
    expected += [1e-6 + t * (lr - 1e-6) / 5 for t in (1, 2, 3, 4)]
    expected += [1e-5 + (lr - 1e-5) * (1 + math.cos(math.pi * t / 300)) / 2 for t in range(5, 299)]
    rates, _ = trained_with(lr, 300)
    assert rates == pytest.approx(expected, rel=1e-12)


def test_a_resumed_schedule_goes_on():
    whole, _ = trained_with(1e-3, 20)
    first, state = trained_with(1e-3, 4)
    rest, _ = trained_with(1e-3, 16, state)
    assert first + rest == whole
