"""OpenAI's completions, made of drafts: what a request may ask for and how it is answered.

Drafts change places while they grow, and at every step all but k joins are dropped; but a
client adds up the pieces of a choice and cannot take any back. So a piece is sent only of
what is settled, the beginning that all drafts have in common; it goes to choice 0, since at
the end there may be no other. The rest of every choice follows when decoding is over. What
the drafts look like meanwhile is in each event's field ``mmsuper``, which clients that do
not know it ignore.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mmsuper.projects.superposed_decoding.completer import Completer, shares
from mmsuper.projects.superposed_decoding.decoding import Settings
from mmsuper.projects.superposed_decoding.generate import Drafts

MAX_CHOICES = 64  # drafts of all prompts of a request
# Tokens of all prompts of a request, padded to the longest: they are read in one step, which
# no other request can interrupt.
MAX_PROMPT_TOKENS = 16_384
MAX_STOPS = 4

# What drafts cannot do: the values that do not ask for it, and why.
_REFUSED = {
    "best_of": ((), "all n drafts are returned"),
    "echo": ((False,), "a choice is what follows the prompt"),
    "frequency_penalty": ((0,), "nothing is drawn at random"),
    "logit_bias": (({},), "the distribution that drafts share is used as it is"),
    "logprobs": ((), "tokens have no probabilities; drafts have scores, in mmsuper.drafts"),
    "presence_penalty": ((0,), "nothing is drawn at random"),
    "suffix": (("",), "text is added at the end only"),
    "top_p": ((1,), "nothing is drawn at random; temperature is of the shared distribution"),
}


class ApiError(Exception):
    """What a client is told, in OpenAI's form.

    Args:
        status: Of HTTP.
        message: One sentence.
        param: Name of the parameter at fault.
        code: Short name of the fault.
    """

    def __init__(
        self, status: int, message: str, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        kinds = {429: "rate_limit_error", 500: "server_error"}
        kind = kinds.get(status, "invalid_request_error")
        self.status = status
        self.content = {"error": {"message": message, "type": kind, "param": param, "code": code}}


class StreamOptions(BaseModel):
    """How to stream; other options are of no effect."""

    model_config = ConfigDict(strict=True)

    include_usage: bool | None = None


class CompletionRequest(BaseModel):
    """The body of ``POST /v1/completions``."""

    model_config = ConfigDict(strict=True, extra="forbid")

    model: str | None = None
    prompt: str | list[str] | list[int] | list[list[int]]
    n: int | None = Field(None, ge=1)
    max_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    stop: str | list[str] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    # As vLLM calls it: take so many tokens from the end of a prompt, -1 as many as fit.
    truncate_prompt_tokens: int | None = Field(None, ge=-1)
    # Of no effect: nothing is drawn at random, and nobody is told apart.
    seed: int | None = None
    user: str | None = None

    best_of: Any = None
    echo: Any = None
    frequency_penalty: Any = None
    logit_bias: Any = None
    logprobs: Any = None
    presence_penalty: Any = None
    suffix: Any = None
    top_p: Any = None

    @property
    def stops(self) -> list[str]:
        """Texts that end a draft."""
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return [stop for stop in stops if stop]


@dataclass(frozen=True)
class Choice:
    """One draft as it stands.

    Attributes:
        text: What it adds to the prompt, up to a stop sequence.
        score: What it is ranked by.
        weight: Its share in what the network was fed.
        tokens: How many it has.
        ended: Whether it ended by itself or by a stop sequence.
    """

    text: str
    score: float
    weight: float
    tokens: int
    ended: bool


@dataclass(frozen=True)
class Step:
    """One prompt after one step.

    Attributes:
        prompt_tokens: Length of the prompt.
        settled: What the texts of all choices begin with, whatever comes.
        effective: Number of drafts in the mix.
        choices: Best first.
    """

    prompt_tokens: int
    settled: str
    effective: float
    choices: list[Choice]


@dataclass(frozen=True)
class Limits:
    """What a request gets and may ask for.

    Attributes:
        drafts: k where it does not say.
        max_tokens: Most new tokens.
    """

    drafts: int = 3
    max_tokens: int = 64


def settings_of(body: CompletionRequest, completer: Completer, limits: Limits) -> Settings:
    """How a request wants its drafts decoded.

    Raises:
        ApiError: If it asks for what there is not.
    """
    if body.model not in (None, completer.name):
        message = f"there is no model {body.model!r} here, only {completer.name!r}"
        raise ApiError(404, message, "model", "model_not_found")
    for name, (harmless, reason) in _REFUSED.items():
        value = getattr(body, name)
        if value is not None and value not in harmless:
            message = f"{name} is not offered: {reason}"
            raise ApiError(400, message, name, "unsupported_parameter")
    asked = (
        ("stop", len(body.stops), MAX_STOPS),
        ("n", body.n or 0, MAX_CHOICES),
        ("max_tokens", body.max_tokens or 0, limits.max_tokens),
    )
    for name, value, most in asked:
        if value > most:
            raise ApiError(400, f"{name}: at most {most} here, not {value}", name)
    settings = completer.settings_for(body.n or limits.drafts)
    length = body.max_tokens or min(settings.max_new_tokens, limits.max_tokens)
    # A temperature of 0 asks for what is so at any: the same answer every time. Very small ones
    # overflow, and single out the most probable token long before.
    temperature = max(body.temperature, 0.01) if body.temperature else settings.temperature
    return replace(settings, max_new_tokens=length, temperature=temperature)


def encode(body: CompletionRequest, completer: Completer, settings: Settings) -> list[list[int]]:
    """Token ids of a request's prompts.

    Raises:
        ApiError: If one is empty or too long, or they are too many.
    """
    given, size = body.prompt, len(completer.tokenizer)
    several = not isinstance(given, str) and not isinstance(next(iter(given), 0), int)
    texts: list[Any] = list(given) if several else [given]
    if len(texts) * settings.drafts > MAX_CHOICES:
        message = f"{len(texts)} prompts with {settings.drafts} drafts each are too many: "
        raise ApiError(400, f"{message}at most {MAX_CHOICES} drafts a request", "prompt")
    rows = [
        completer.tokenizer(text).input_ids if isinstance(text, str) else text for text in texts
    ]
    room = min(MAX_PROMPT_TOKENS, completer.context or MAX_PROMPT_TOKENS) - settings.max_new_tokens
    if body.truncate_prompt_tokens is not None:
        keep = room if body.truncate_prompt_tokens == -1 else body.truncate_prompt_tokens
        rows = [row[max(0, len(row) - keep) :] for row in rows]
    longest = max(map(len, rows), default=0)
    if not all(rows) or not rows:
        raise ApiError(400, "an empty prompt gives a model nothing to go on from", "prompt")
    if not all(0 <= i < size for row in rows for i in row):
        raise ApiError(400, f"token ids are from 0 to {size - 1}", "prompt")
    if longest > room:
        message = f"a prompt of {longest} tokens is too long: at most {room}, beside "
        message += f"{settings.max_new_tokens} new ones; truncate_prompt_tokens=-1 begins it later"
        raise ApiError(400, message, "prompt", "context_length_exceeded")
    if longest * len(rows) > MAX_PROMPT_TOKENS:
        message = f"{len(rows)} prompts of up to {longest} tokens are too many: "
        raise ApiError(400, f"{message}at most {MAX_PROMPT_TOKENS} tokens a request", "prompt")
    return rows


def steps(body: CompletionRequest, completer: Completer, limits: Limits) -> Iterator[list[Step]]:
    """Decode a request: after each step, how each of its prompts stands.

    Raises:
        ApiError: Before the first step, if the request is no good.
    """
    settings = settings_of(body, completer, limits)
    for found in completer.stream(encode(body, completer, settings), settings):
        now = [_step(drafts, body.stops) for drafts in found]
        yield now
        # Scores only fall, so nothing overtakes drafts that have ended.
        if all(choice.ended for step in now for choice in step.choices):
            return


def _step(drafts: Drafts, stops: Sequence[str]) -> Step:
    choices = []
    rows = zip(drafts.drafts, drafts.texts, shares(drafts), strict=True)
    for draft, whole, share in rows:
        text, stopped = _cut(whole, stops)
        ended = draft.finished or stopped
        choices.append(Choice(text, draft.score, share, len(draft.ids), ended))
    settled = _settled(drafts.settled_text, stops)
    return Step(len(drafts.prompt), settled, drafts.effective[-1], choices)


def _cut(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """A text up to the first stop sequence, and whether it has one."""
    ends = [end for stop in stops if (end := text.find(stop)) >= 0]
    return (text[: min(ends)], True) if ends else (text, False)


def _settled(text: str, stops: Sequence[str]) -> str:
    """A text without an end that may turn out to be the beginning of a stop sequence."""
    text, stopped = _cut(text, stops)
    begun = [n for stop in stops for n in range(1, len(stop)) if text.endswith(stop[:n])]
    return text if stopped or not begun else text[: -max(begun)]


@dataclass
class Answer:
    """What the steps of a request look like to its client."""

    model: str
    id: str = field(default_factory=lambda: f"cmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, last: list[Step], n: int) -> dict[str, Any]:
        """The answer to a request that does not stream.

        Args:
            last: How its prompts stand at the end.
            n: Drafts of each prompt.
        """
        choices = [_choice(index, c.text, _reason(c)) for index, c in _numbered(last, n)]
        return {**self._frame(choices, last), "usage": _usage(last)}

    def pieces(self, now: list[Step], sent: dict[int, int], n: int) -> dict[str, Any]:
        """An event while drafts grow.

        Args:
            now: How the prompts stand.
            sent: How much of each choice the client has; brought up to date.
            n: Drafts of each prompt.
        """
        choices = []
        for number, step in enumerate(now):
            piece = step.settled[sent.get(number * n, 0) :]
            sent[number * n] = max(sent.get(number * n, 0), len(step.settled))
            choices.append(_choice(number * n, piece, None))
        return self._frame(choices, now)

    def rest(self, last: list[Step], sent: dict[int, int], n: int) -> dict[str, Any]:
        """The event that completes all choices."""
        choices = [
            _choice(index, c.text[sent.get(index, 0) :], _reason(c))
            for index, c in _numbered(last, n)
        ]
        return self._frame(choices, last)

    def usage(self, last: list[Step]) -> dict[str, Any]:
        """The last event, for clients that asked for it."""
        return {**self._frame([], []), "usage": _usage(last)}

    def _frame(self, choices: list[dict[str, Any]], now: list[Step]) -> dict[str, Any]:
        drafts = [
            [
                {
                    "text": choice.text,
                    "score": choice.score,
                    "weight": choice.weight,
                    "finished": choice.ended,
                }
                for choice in step.choices
            ]
            for step in now
        ]
        return {
            "id": self.id,
            "object": "text_completion",
            "created": self.created,
            "model": self.model,
            "choices": choices,
            "mmsuper": {"drafts": drafts, "effective": [step.effective for step in now]},
        }


def _numbered(last: list[Step], n: int) -> Iterator[tuple[int, Choice]]:
    """Choices of all prompts: of the second they begin at n, also where the first has fewer."""
    for number, step in enumerate(last):
        yield from enumerate(step.choices, number * n)


def _choice(index: int, text: str, reason: str | None) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": reason}


def _reason(choice: Choice) -> str:
    return "stop" if choice.ended else "length"


def _usage(last: list[Step]) -> dict[str, int]:
    read = sum(step.prompt_tokens for step in last)
    made = sum(choice.tokens for step in last for choice in step.choices)
    return {"prompt_tokens": read, "completion_tokens": made, "total_tokens": read + made}
