"""What the theory predicts, and the simulation."""

import numpy as np
import pytest

from mmsuper.projects.active_dormant import theory
from mmsuper.projects.active_dormant.task import Counts, Task


@pytest.fixture(scope="module")
def problem():
    return theory.Problem.of_task(Task(Counts.read()), tokens=6)


def test_gradients_are_those_of_the_loss(problem):
    random = np.random.default_rng(0)
    size = len(problem.context)
    a, beta = random.normal(size=6), random.normal(size=size)
    _, slope_a, slope_beta = problem.evaluate(a, beta)
    for i in range(6):
        step = 1e-5 * np.eye(6)[i]
        rise = problem.evaluate(a + step, beta)[0] - problem.evaluate(a - step, beta)[0]
        assert rise / 2e-5 == pytest.approx(slope_a[i], abs=1e-8)
    for i in (0, 1, size - 1):
        step = 1e-5 * np.eye(size)[i]
        rise = problem.evaluate(a, beta + step)[0] - problem.evaluate(a, beta - step)[0]
        assert rise / 2e-5 == pytest.approx(slope_beta[i], abs=1e-8)


def test_sink_logits_grow_as_half_the_logarithm_of_time(problem):
    found = theory.sink_growth(problem)
    assert found.slopes == pytest.approx(0.5, rel=0.02)
    assert abs(found.offsets).max() < 0.02


def test_the_value_drains_to_its_closed_form(problem):
    found = theory.value_drain(problem, levels=(0, 3))
    assert found.slopes == pytest.approx(-np.exp(-found.a), rel=0.02)
    assert found.simulated == pytest.approx(found.predicted, rel=0.02)


def test_sink_logits_concentrate_and_the_loss_goes(problem):
    found = theory.concentration(problem)
    assert found.spread[0] > 0.3 and found.spread[-1] < 1e-6
    assert found.path.loss[-1] < 1e-10
    assert found.slope == pytest.approx(found.predicted_slope, rel=0.02)


def test_adam_makes_the_peak_grow_and_descent_does_not():
    found = theory.peak_growth()
    assert found.descent == pytest.approx(found.predicted, rel=0.02)
    assert found.descent[-1] < 10.1
    assert found.adam[-1] == pytest.approx(64, abs=0.5)  # in the authors' stored simulation
    assert found.adam[-1] - found.adam[-5001] == pytest.approx(5000 * found.slope, rel=0.02)
