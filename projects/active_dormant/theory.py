"""What the theory predicts for the reduced model, and the simulation that it is held against.

On ordinary tokens, with the trigger part solved, the logits of the token after ``v`` are ::

    log p_v + (exp(a_v) beta + s) / (exp(a_v) + n)

with ``a_v`` the sink logit of ``v``, ``beta`` the value of ``<s>``, ``s`` the sum of the
context's values and ``n`` its length; the loss is ``sum_v pi_v KL(p_v || softmax(...))``.
Gradient flow, that is descent in the limit of small steps, then has three laws:

- with ``beta`` held at a constant, every ``a_v`` grows as half the logarithm of time;
- with all ``a_v`` held at one value a, ``beta`` goes to ``-exp(-a) s`` up to a constant;
- together, the ``a_v`` draw near to each other until the excess loss is gone.

A fourth is a heuristic: the norm m of the residual state of ``<s>`` has a gradient of the
scale ``log t / (t m^3)``, which descent follows to almost nothing and Adam divides away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mmsuper.projects.active_dormant.task import Task

# Legend: K ordinary tokens v, V tokens of the vocabulary, T times.


@dataclass(frozen=True)
class Problem:
    """What is given: laws, weights and context.

    Attributes:
        laws: (K, V) law p_v of what follows each token; may have zeros.
        shares: (K,) weight pi_v of each.
        context: (V,) sum s of the context's values.
        n: Length of the context.
    """

    laws: np.ndarray
    shares: np.ndarray
    context: np.ndarray
    n: float

    @classmethod
    def of_task(cls, task: Task, tokens: int = 12, n: float = 10.0) -> Problem:
        """The most frequent ordinary characters of a task, in a context that is typical.

        The vocabulary is what can follow one of them.

        Args:
            task: Whose bigrams are taken.
            tokens: How many characters K.
            n: Length of the context; its values are one-hot and occur as often as in the text.
        """
        order = np.argsort(-task.marginal * ~task.is_trigger, kind="stable")[:tokens]
        shares, laws = task.marginal[order], task.transition[order]
        # What no law ever gives is not moved by any gradient.
        reached = laws.any(0)
        return cls(laws[:, reached], shares / shares.sum(), n * task.marginal[reached], n)

    def variances(self) -> np.ndarray:
        """(K,) variance of the context's values under each law."""
        mean = self.laws @ self.context
        return self.laws @ self.context**2 - mean**2

    def evaluate(self, a: np.ndarray, beta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Excess loss and its gradients, for a (K,) and beta (V,)."""
        # e = exp(a) / (exp(a) + n) and its derivative, written so that no a is too large.
        e = 1 / (1 + self.n * np.exp(-a))
        pull = e[:, None] * beta + ((1 - e) / self.n)[:, None] * self.context
        scaled = self.laws * np.exp(pull - pull.max(1, keepdims=True))
        log_total = np.log(scaled.sum(1)) + pull.max(1)
        off = scaled / scaled.sum(1, keepdims=True) - self.laws
        loss = self.shares @ (log_total - (self.laws * pull).sum(1))
        slope = -e * (1 - e) / self.n * self.shares
        return float(loss), slope * (off @ (self.context - self.n * beta)), (self.shares * e) @ off


class Path(NamedTuple):
    """A simulated descent: what it is at each of T times.

    Attributes:
        times: (T,) time, or steps.
        a: (T, K) sink logits.
        beta: (T, V) value of ``<s>``.
        loss: (T,) excess loss.
    """

    times: np.ndarray
    a: np.ndarray
    beta: np.ndarray
    loss: np.ndarray


def descend(
    problem: Problem,
    a: np.ndarray,
    beta: np.ndarray,
    steps: list[int],
    rate: float = 1.0,
    move_a: bool = True,
    move_beta: bool = True,
) -> Path:
    """Gradient descent.

    Args:
        problem: What is given.
        a: (K,) where it begins.
        beta: (V,) where it begins.
        steps: Which steps to keep: parameters after, the loss before each.
        rate: Step size.
        move_a: Whether the sink logits move.
        move_beta: Whether the value moves.
    """
    kept = []
    for step in range(1, max(steps) + 1):
        loss, slope_a, slope_beta = problem.evaluate(a, beta)
        a = a - rate * move_a * slope_a
        beta = beta - rate * move_beta * slope_beta
        if step in steps:
            kept.append((a, beta, loss))
    return Path(np.array(steps), *(np.array(column) for column in zip(*kept, strict=True)))


def flow(
    problem: Problem,
    a: np.ndarray,
    beta: np.ndarray,
    until: float = 1e10,
    move_a: bool = True,
    move_beta: bool = True,
    points: int = 200,
) -> Path:
    """Gradient flow, integrated over the logarithm of time.

    Args:
        problem: What is given.
        a: (K,) at time 1.
        beta: (V,) at time 1.
        until: Last time.
        move_a: Whether the sink logits move.
        move_beta: Whether the value moves.
        points: How many times to keep, evenly over the logarithm.
    """
    from scipy.integrate import solve_ivp

    def velocity(log_time: float, state: np.ndarray) -> np.ndarray:
        _, slope_a, slope_beta = problem.evaluate(state[: len(a)], state[len(a) :])
        return -np.exp(log_time) * np.concatenate([slope_a * move_a, slope_beta * move_beta])

    logs = np.linspace(0, np.log(until), points)
    found = solve_ivp(
        velocity, (0, logs[-1]), np.concatenate([a, beta]), "LSODA", logs, rtol=1e-8, atol=1e-10
    )
    a_path, beta_path = np.split(found.y.T, [len(a)], axis=1)
    loss = [problem.evaluate(*one)[0] for one in zip(a_path, beta_path, strict=True)]
    return Path(np.exp(found.t), a_path, beta_path, np.array(loss))


# ------------------------------------------------------------------------------------------
# The laws, each with a prediction and what the simulation gives


class SinkGrowth(NamedTuple):
    """Law 1: ``a_v = log(t) / 2 + log(2 pi_v Var_v) / 2``.

    Attributes:
        path: The simulation, with beta held at a constant.
        predicted: (T, K) the law.
        slopes: (K,) fitted growth of each a_v with log t over the last third of log t; the
            law says 1/2.
        offsets: (K,) what each a_v is above the law at last.
    """

    path: Path
    predicted: np.ndarray
    slopes: np.ndarray
    offsets: np.ndarray


def sink_growth(problem: Problem, until: float = 1e14) -> SinkGrowth:
    """Simulate and fit the growth of sink logits while the value is held."""
    tokens, vocabulary = problem.laws.shape
    path = flow(problem, np.zeros(tokens), np.ones(vocabulary), until, move_beta=False)
    offset = np.log(2 * problem.shares * problem.variances()) / 2
    logs = np.log(path.times)
    predicted = logs[:, None] / 2 + offset
    late = 2 * len(logs) // 3
    slopes = np.polyfit(logs[late:], path.a[late:], 1)[0]
    return SinkGrowth(path, predicted, slopes, (path.a - predicted)[-1])


class ValueDrain(NamedTuple):
    """Law 2: ``beta = -exp(-a) s`` up to a constant.

    Attributes:
        a: (M,) the sink logits at which it was simulated.
        predicted: (M,) the law's norm of beta without its mean over the vocabulary.
        simulated: (M,) the simulation's.
        slopes: (M,) fitted beta against s; the law says ``-exp(-a)``.
    """

    a: np.ndarray
    predicted: np.ndarray
    simulated: np.ndarray
    slopes: np.ndarray


def value_drain(
    problem: Problem, levels: Sequence[float] = (0, 1, 2, 3, 4), until: float = 1e8
) -> ValueDrain:
    """Simulate where the value of ``<s>`` goes while the sink logits are held at some levels."""
    tokens, vocabulary = problem.laws.shape
    context = problem.context - problem.context.mean()
    norms, slopes = [], []
    for a in levels:
        path = flow(problem, np.full(tokens, a), np.zeros(vocabulary), until, move_a=False)
        norms.append(np.linalg.norm(path.beta[-1] - path.beta[-1].mean()))
        slopes.append(_slope(path.beta[-1], problem.context))
    predicted = np.exp(-np.array(levels)) * np.linalg.norm(context)
    return ValueDrain(np.array(levels), predicted, np.array(norms), np.array(slopes))


def _slope(values: np.ndarray, context: np.ndarray) -> float:
    """Of a fitted line of values against the context's."""
    return float(np.polyfit(context, values, 1)[0])


class Concentration(NamedTuple):
    """Law 3: together, the sink logits meet, and the loss goes.

    Attributes:
        path: The simulation.
        spread: (T,) standard deviation of the a_v.
        slope: Fitted final beta against s.
        predicted_slope: ``-exp(-a)`` of the final mean a.
    """

    path: Path
    spread: np.ndarray
    slope: float
    predicted_slope: float


def concentration(problem: Problem, seed: int = 0, until: float = 1e10) -> Concentration:
    """Simulate sink logits and value together, from a random start."""
    tokens, vocabulary = problem.laws.shape
    random = np.random.default_rng(seed)
    path = flow(problem, random.normal(size=tokens), random.normal(size=vocabulary), until)
    slope = _slope(path.beta[-1], problem.context)
    return Concentration(path, path.a.std(1), slope, float(-np.exp(-path.a[-1].mean())))


class PeakGrowth(NamedTuple):
    """The heuristic for the norm m of the residual state of ``<s>``.

    Attributes:
        steps: (T,) from 1.
        descent: (T,) m by gradient descent.
        predicted: (T,) gradient flow's closed form, ``(m0^4 + 2 log(t)^2)^(1/4)`` at rate 1.
        adam: (T,) m by Adam.
        slope: Fitted growth of Adam's m a step over the last half.
    """

    steps: np.ndarray
    descent: np.ndarray
    predicted: np.ndarray
    adam: np.ndarray
    slope: float


def peak_growth(
    start: float = 10.0,
    rate: float = 0.3,
    steps: int = 10_000,
    betas: tuple[float, float] = (0.9, 0.999),
) -> PeakGrowth:
    """Descent and Adam on the norm, under a gradient of ``-log(t) / (t m^3)``."""

    def slope(t: int, m: float) -> float:
        return -np.log(t) / (t * m**3)

    times = np.arange(1, steps + 1)
    descent, adam = [], []
    plain = adaptive = start
    first = second = 0.0
    for t in times:
        plain -= rate * slope(t, plain)
        gradient = slope(t, adaptive)
        first = betas[0] * first + (1 - betas[0]) * gradient
        second = betas[1] * second + (1 - betas[1]) * gradient**2
        scale = np.sqrt(second / (1 - betas[1] ** t)) + 1e-8
        adaptive -= rate * first / (1 - betas[0] ** t) / scale
        descent.append(plain)
        adam.append(adaptive)
    predicted = (start**4 + 2 * rate * np.log(times) ** 2) ** 0.25
    late = steps // 2
    fitted = np.polyfit(times[late:], adam[late:], 1)[0]
    return PeakGrowth(times, np.array(descent), predicted, np.array(adam), float(fitted))
