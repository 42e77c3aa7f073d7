"""Superposed Decoding: k drafts of a text for one forward pass a token.

Greedy decoding feeds a language model the embedding of the token that it has just chosen.
Here k drafts have each chosen one, and the model is fed a single vector, the mean of the k
embeddings, each weighted with the probability of its draft::

    x = sum_i gamma_i E[last token of draft i],     gamma = softmax(scores)

A network is nearly linear in such a mix for some ten tokens, so what it then returns is close
to the mix of what it would have returned for each draft: one distribution q for the next
token, shared by all drafts. Which draft goes on with which token, it does not say. That is
left to n-gram counts g, which are cheap to look up for each draft::

    score of a join = score of draft i + (1 - alpha) log q(t) + alpha log g_i(t)

A token that no n-gram joins to a draft is ruled out for it. Of all k x n joins of a draft
with one of the n most probable tokens, the best k are the next drafts.

This module is those two lines and nothing of the network: :func:`step` takes logits and a
state and returns the next state, whose :attr:`State.weights` and :attr:`State.last_tokens`
say what to feed next. Everything is float32, on the CPU, and small: k x n numbers.

Where the paper and the authors' code differ, this follows the code, which made the paper's
numbers, but for what is listed at :class:`Settings`.

Reference: Shen et al., "Superposed Decoding: Multiple Generations from a Single
Autoregressive Inference Pass", arXiv 2405.18400, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from mmsuper.errors import UserError


class Ngrams(Protocol):
    """Counts of what followed which context.

    Attributes:
        orders: Lengths of the contexts that were counted, ascending.
    """

    orders: Sequence[int]

    def rows(self, context: Sequence[int], order: int) -> tuple[np.ndarray, np.ndarray, int] | None:
        """Tokens seen after the last ``order`` ids of a context, ascending, and their counts.

        Returns:
            Tokens, counts and the counts' sum, or None where the context was never seen.
        """


@dataclass(frozen=True)
class Settings:
    """How to decode; the defaults are the paper's for three drafts.

    The published code has some flaws that cannot have been meant. Here they are mended:

    - Drafts that have ended are returned, ranked by score with the others. Theirs drop out,
      because their perplexity is not a number.
    - A join with the end of the text never stands in for a draft. Theirs does where fewer
      than k joins go on, with a score lower by 1e7 and so without weight.
    - ``alpha = 0`` turns smoothing off. Theirs multiplies zero and infinity.
    - The n-gram model alone (``smoothing="all"``) uses bigrams. Theirs looks them up under
      keys that they do not have.

    Attributes:
        drafts: k, how many drafts to keep.
        kept: n, how many of the most probable tokens can be joined; 3k where not given.
        temperature: Of the shared distribution.
        alpha: Weight of the n-grams in a score.
        weights: Of the n-grams with contexts of 1, 2, ... tokens; they need not add up to 1.
        penalty: Subtracted from a score where no n-gram joins any token to a draft.
        smoothing: ``"geom"`` mixes network and n-grams geometrically, ``None`` is the network
            alone, ``"all"`` the n-grams alone, over the whole vocabulary.
        max_new_tokens: Length at which a draft is complete.
        eos: Tokens that end a text.
        normalize: Rank the drafts that are returned by score per token.
        compat: ``"authors"`` keeps the first and the last flaw above, which change results.
    """

    drafts: int = 3
    kept: int | None = None
    temperature: float = 0.06
    alpha: float = 0.54
    weights: tuple[float, ...] = (0.01, 0.04, 0.15, 0.18, 0.12)
    penalty: float = 200.0
    smoothing: Literal["geom", "all"] | None = "geom"
    max_new_tokens: int = 10
    eos: tuple[int, ...] = ()
    normalize: bool = False
    compat: Literal["authors"] | None = None

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            UserError: If a number is out of its range or a name unknown.
        """
        for name in ("drafts", "max_new_tokens"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.kept is not None and self.kept < 1:
            raise UserError(f"kept must be at least 1, not {self.kept}")
        if not self.temperature > 0:
            raise UserError(f"temperature must be above 0, not {self.temperature}")
        if not 0 <= self.alpha <= 1:
            raise UserError(f"alpha must be between 0 and 1, not {self.alpha}")
        if self.smoothing not in ("geom", "all", None):
            raise UserError(f"smoothing must be 'geom', 'all' or None, not {self.smoothing!r}")
        if self.compat not in ("authors", None):
            raise UserError(f"compat must be 'authors' or None, not {self.compat!r}")


@dataclass(frozen=True)
class Draft:
    """One continuation of a prompt.

    Attributes:
        ids: Its tokens after the prompt; a finished one's last is the end of the text.
        score: Sum of its joins' log scores: for ranking, not the log probability of a model.
        finished: Whether it has ended by itself.
    """

    ids: tuple[int, ...]
    score: float
    finished: bool


@dataclass(frozen=True)
class State:
    """The drafts of one prompt after some steps.

    Attributes:
        prompt: Token ids of the prompt, which n-grams see too.
        drafts: Token ids after it of each draft that goes on, best first; none are left when
            every continuation has ended or is impossible.
        scores: Of these, float32, (at most k).
        finished: At most k drafts that have ended, best first.
    """

    prompt: tuple[int, ...]
    drafts: tuple[tuple[int, ...], ...]
    scores: Tensor
    finished: tuple[Draft, ...] = ()

    @property
    def weights(self) -> Tensor:
        """Share gamma of each draft in what the network is fed next."""
        return self.scores.softmax(0)

    @property
    def last_tokens(self) -> list[int]:
        """The token of each draft whose embedding goes into the mix."""
        return [draft[-1] for draft in self.drafts]


def start(prompt: Sequence[int]) -> State:
    """The state before the first step: one empty draft.

    All k drafts would be equal and must not fill the ranking with copies of one join.
    """
    return State(tuple(prompt), ((),), torch.zeros(1))


def step(logits: Tensor, state: State, settings: Settings, ngrams: Ngrams | None = None) -> State:
    """Join every draft with one more token.

    Args:
        logits: What the network returned for the mix of the drafts, or for the prompt, (V).
        state: The drafts that were mixed.
        settings: How to decode.
        ngrams: Counts; without them there is no smoothing.
    """
    return join(*shared(logits, settings), state, settings, ngrams)


def shared(logits: Tensor, settings: Settings) -> tuple[Tensor, Tensor]:
    """The distribution that all drafts share.

    The softmax of the n largest logits is the n largest probabilities, scaled to sum 1.

    Args:
        logits: Of the next token, (..., V), on any device.
        settings: How to decode.

    Returns:
        The tokens that can be joined and their log q, (..., n), on the CPU. For the n-grams
        alone these are all tokens, in order.
    """
    size = logits.shape[-1]
    if settings.smoothing == "all":
        tokens = torch.arange(size).expand(logits.shape)
        return tokens, torch.zeros(logits.shape)
    top = logits.float().topk(min(settings.kept or 3 * settings.drafts, size))
    return top.indices.cpu(), (top.values / settings.temperature).log_softmax(-1).cpu()


def join(
    tokens: Tensor, log_q: Tensor, state: State, settings: Settings, ngrams: Ngrams | None = None
) -> State:
    """Score every draft with every token of the shared distribution, and keep the best.

    Args:
        tokens: Candidates, (n).
        log_q: Their shared log probabilities, (n).
        state: The drafts.
        settings: How to decode.
        ngrams: Counts; without them there is no smoothing.
    """
    scores_KN = state.scores[:, None] + smoothed(tokens, log_q, state, settings, ngrams)
    # Twice as many as there will be drafts, so that k are left when k of them end here.
    best = scores_KN.flatten().topk(min(2 * settings.drafts, scores_KN.numel()))
    candidates = tokens.tolist()
    drafts, scores, finished = [], [], list(state.finished)
    for score, index in zip(best.values.tolist(), best.indices.tolist(), strict=True):
        if not score > -torch.inf:
            break
        draft, token = divmod(index, len(candidates))
        ids = (*state.drafts[draft], candidates[token])
        if ids[-1] in settings.eos:
            finished.append(Draft(ids, score, finished=True))
        elif len(drafts) < settings.drafts:
            drafts.append(ids)
            scores.append(score)
    finished.sort(key=lambda draft: -draft.score)
    return State(
        state.prompt, tuple(drafts), torch.tensor(scores), tuple(finished[: settings.drafts])
    )


def smoothed(
    tokens: Tensor, log_q: Tensor, state: State, settings: Settings, ngrams: Ngrams | None
) -> Tensor:
    """Log score of each token after each draft, (k, n)."""
    if settings.smoothing is None or ngrams is None or not (settings.alpha or _alone(settings)):
        return log_q.expand(len(state.drafts), -1)
    log_g = torch.from_numpy(_support(tokens.numpy(), state, settings, ngrams)).float().log()
    if _alone(settings):
        return log_g
    mixed = (1 - settings.alpha) * log_q + settings.alpha * log_g
    without = (log_g == -torch.inf).all(1, keepdim=True)
    return torch.where(without, (1 - settings.alpha) * log_q - settings.penalty, mixed)


def _support(tokens: np.ndarray, state: State, settings: Settings, ngrams: Ngrams) -> np.ndarray:
    """What the n-grams of all orders say of each token after each draft, (k, n).

    An order counts for nothing where a draft's last tokens were never seen, or are too few.
    """
    # Drafts have most of their last tokens in common: each context is looked up once.
    known: dict[tuple[int, ...], np.ndarray | None] = {}
    support = np.zeros((len(state.drafts), len(tokens)))
    longest = len(settings.weights)
    # Theirs miss this one for the n-grams alone; see Settings.
    missing = 1 if settings.compat == "authors" and _alone(settings) else None
    for i, draft in enumerate(state.drafts):
        ids = (state.prompt[-longest:] + draft)[-longest:]
        for order in ngrams.orders:
            if order > len(ids):
                break
            context = ids[-order:]
            if context not in known:
                known[context] = _probabilities(ngrams.rows(context, order), tokens)
            probabilities = known[context]
            if probabilities is None:
                break  # a longer context that ends with an unseen one is unseen as well
            if order != missing:
                support[i] += settings.weights[order - 1] * probabilities
    return support


def _probabilities(
    row: tuple[np.ndarray, np.ndarray, int] | None, tokens: np.ndarray
) -> np.ndarray | None:
    """Share of each token in one row of counts, (n)."""
    if row is None:
        return None
    seen, counts, total = row
    places = np.minimum(np.searchsorted(seen, tokens), len(seen) - 1)
    return np.where(seen[places] == tokens, counts[places], 0) / total


def _alone(settings: Settings) -> bool:
    return settings.smoothing == "all"


def ranked(state: State, settings: Settings) -> tuple[Draft, ...]:
    """The drafts to return, best first, at most k: those that go on and those that ended."""
    scores = state.scores.tolist()
    drafts = [Draft(ids, score, False) for ids, score in zip(state.drafts, scores, strict=True)]
    if settings.compat != "authors":
        drafts += state.finished
    drafts.sort(key=lambda draft: -draft.score / (len(draft.ids) if settings.normalize else 1))
    return tuple(drafts[: settings.drafts])


def restart(state: State, draft: int) -> State:
    """Go on from one draft alone, to be read anew by the network as it stands.

    What the network has read of a mix fits no draft well after many tokens, and texts begin
    to repeat themselves. With a draft drawn by :attr:`State.weights` every so many steps
    they do not (section 5.3 of the paper; the published code has no such thing).

    Args:
        state: The drafts.
        draft: Which of them to keep.
    """
    return replace(
        state, drafts=(state.drafts[draft],), scores=state.scores[draft : draft + 1].clone()
    )
