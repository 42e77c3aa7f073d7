"""Superposed Decoding for language models of ``transformers``.

:func:`superposed_generate` completes texts, :func:`stream` shows the drafts of one text as
they grow, and :func:`custom_generate` is what ``model.generate(custom_generate=...)`` takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from mmsuper.errors import UserError
from mmsuper.projects.superposed_decoding.decoding import (
    Draft,
    Ngrams,
    Settings,
    State,
    join,
    ranked,
    restart,
    shared,
    start,
)
from mmsuper.projects.superposed_decoding.network import SharedPass
from mmsuper.projects.superposed_decoding.presets import for_drafts

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase
    from transformers.generation import LogitsProcessorList, StoppingCriteriaList

Prompt = str | Sequence[int]


@dataclass(frozen=True)
class Drafts:
    """The drafts of one prompt, best first.

    Attributes:
        prompt: Its token ids.
        drafts: At most k; fewer where there are not so many continuations.
        weights: Shares of the drafts that went on, after each step.
        settled: Tokens that all drafts begin with, now and whatever comes.
        tokenizer: Makes texts of ids.
    """

    prompt: tuple[int, ...]
    drafts: tuple[Draft, ...]
    weights: tuple[Tensor, ...]
    settled: tuple[int, ...]
    tokenizer: PreTrainedTokenizerBase = field(repr=False)

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """What each draft adds to the prompt."""
        return tuple(self._added(draft.ids) for draft in self.drafts)

    @property
    def settled_text(self) -> str:
        """What all drafts begin with; a character that still lacks some bytes is left out."""
        return self._added(self.settled).rstrip("\N{REPLACEMENT CHARACTER}")

    def _added(self, ids: tuple[int, ...]) -> str:
        # Beside the prompt, as some tokenizers drop the space before a text's first word.
        head = _text(self.tokenizer, self.prompt)
        text = _text(self.tokenizer, self.prompt + ids)
        return text[len(head) :] if text.startswith(head) else _text(self.tokenizer, ids)

    @property
    def scores(self) -> tuple[float, ...]:
        """What the drafts are ranked by; see :class:`Draft`."""
        return tuple(draft.score for draft in self.drafts)

    @property
    def finished(self) -> tuple[bool, ...]:
        """Which drafts have ended by themselves."""
        return tuple(draft.finished for draft in self.drafts)

    @cached_property
    def effective(self) -> tuple[float, ...]:
        """Effective number of drafts in the mix after each step, 1 / sum of squared weights.

        From k, where all have the same share, down to 1, where the network sees the best
        draft alone and the others live on what it says of that one; 0 where none went on.
        """
        return tuple(float(1 / w.square().sum()) if len(w) else 0.0 for w in self.weights)


def superposed_generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Prompt | Sequence[Prompt],
    k: int | None = None,
    max_new_tokens: int | None = None,
    ngram: Ngrams | None = None,
    **options: Any,
) -> list[Drafts]:
    """Complete texts, each with k drafts for the price of one.

    Args:
        model: A causal language model of ``transformers``.
        tokenizer: Its tokenizer.
        prompts: A text, or several; token ids are taken as they are. Those given together are
            read together and give the drafts that they would give one by one.
        k: How many drafts to make of each; as the settings say if None, by default three.
        max_new_tokens: How many tokens to add; as the settings say if None, by default the
            ten that the paper recommends.
        ngram: Counts that tell drafts apart (see ``ngrams build``); without them the network
            alone ranks the joins.
        options: More arguments of :func:`stream`.

    Returns:
        The drafts of each prompt.

    Raises:
        UserError: If the model cannot be fed mixes of embeddings, a prompt is empty or a
            setting makes no sense.
    """
    # A list of texts, or of lists of ids; else it is one text, or the ids of one.
    several = not isinstance(prompts, str) and not isinstance(next(iter(prompts), 0), int)
    texts = list(prompts) if several else [prompts]
    *_, last = stream(model, tokenizer, texts, k, max_new_tokens, ngram, **options)
    return last


def stream(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Prompt],
    k: int | None = None,
    max_new_tokens: int | None = None,
    ngram: Ngrams | None = None,
    settings: Settings | None = None,
    logits_processor: LogitsProcessorList | None = None,
    reset_every: int | None = None,
    seed: int = 0,
) -> Iterator[list[Drafts]]:
    """The drafts of each prompt after every step, for autocompletion.

    Args:
        model: See :func:`superposed_generate`.
        tokenizer: See there.
        prompts: Texts, or token ids that are taken as they are.
        k: See there.
        max_new_tokens: See there.
        ngram: See there.
        settings: How to decode; by default as the paper does for k drafts. Texts end where
            the model's do, whatever they say.
        logits_processor: Changes the distribution that all drafts share. What looks at the
            text so far is shown the prompt with its best draft.
        reset_every: Go on from one draft alone each time so many tokens were added.
        seed: Of the choice of that draft.

    Yields:
        The drafts of each prompt, best first.
    """
    settings = settings or for_drafts(k or Settings.drafts)
    settings = replace(
        settings,
        drafts=settings.drafts if k is None else k,
        max_new_tokens=settings.max_new_tokens if max_new_tokens is None else max_new_tokens,
        eos=_end_of_text(model, tokenizer),
    )
    ids = [_encode(tokenizer, prompt) for prompt in prompts]
    process = _processing(logits_processor)
    weights: list[tuple[Tensor, ...]] = [() for _ in ids]
    steps = decode(SharedPass(model), ids, settings, ngram, process, reset_every, seed)
    for states, _ in steps:
        weights = [(*w, state.weights) for w, state in zip(weights, states, strict=True)]
        yield [
            Drafts(state.prompt, ranked(state, settings), w, _settled(state), tokenizer)
            for state, w in zip(states, weights, strict=True)
        ]


def decode(
    network: SharedPass,
    prompts: Sequence[Sequence[int]],
    settings: Settings,
    ngrams: Ngrams | None = None,
    process: Callable[[list[State], Tensor], Tensor] | None = None,
    reset_every: int | None = None,
    seed: int = 0,
) -> Iterator[tuple[list[State], Tensor]]:
    """The whole method: one step of the network, then one of the drafts, and so on.

    Args:
        network: Reads prompts and mixes.
        prompts: Token ids of each.
        settings: How to decode.
        ngrams: Counts that tell drafts apart.
        process: Changes logits, given the states.
        reset_every: See :func:`stream`.
        seed: See there.

    Yields:
        After every step the state of each prompt, and the logits that led to it, (B, V).
    """
    chance = torch.Generator().manual_seed(seed)
    states = [start(prompt) for prompt in prompts]
    logits = network.read(prompts)
    for done in range(1, settings.max_new_tokens + 1):
        if process is not None:
            logits = process(states, logits)
        tokens, log_q = shared(logits, settings)
        states = [
            join(*candidates, state, settings, ngrams) if state.drafts else state
            for *candidates, state in zip(tokens, log_q, states, strict=True)
        ]
        yield states, logits
        if done == settings.max_new_tokens or not any(state.drafts for state in states):
            return
        if reset_every and done % reset_every == 0:
            states = [_restarted(state, chance) for state in states]
            logits = network.read([state.prompt + _best(state) for state in states])
        else:
            logits = network.feed(*_mixes(states))


def _settled(state: State) -> tuple[int, ...]:
    """What all drafts have in common: those to come go on from these, or are among them."""
    rows = [*state.drafts, *(draft.ids for draft in state.finished)]
    columns = takewhile(lambda column: len(set(column)) == 1, zip(*rows, strict=False))
    return tuple(column[0] for column in columns)


def _mixes(states: Sequence[State]) -> tuple[Tensor, Tensor]:
    """Last tokens and weights of all drafts, (B, k); where there are fewer, weights are 0."""
    most = max(len(state.drafts) for state in states)
    tokens = torch.zeros(len(states), most, dtype=torch.long)
    weights = torch.zeros(len(states), most)
    for i, state in enumerate(states):
        tokens[i, : len(state.drafts)] = torch.tensor(state.last_tokens)
        weights[i, : len(state.drafts)] = state.weights
    return tokens, weights


def _restarted(state: State, chance: torch.Generator) -> State:
    if not state.drafts:
        return state
    return restart(state, int(state.weights.multinomial(1, generator=chance)))


def _best(state: State) -> tuple[int, ...]:
    return state.drafts[0] if state.drafts else ()


def spliced_generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompt: Prompt,
    samples: int,
    sampled_tokens: int,
    seed: int = 0,
    **options: Any,
) -> list[Drafts]:
    """Draw some continuations, and go on from each with superposed drafts.

    Samples differ in meaning, superposed drafts of one sample in wording: k times as many
    texts for little more than the samples cost (the paper's splicing with nucleus samples).

    Args:
        model: See :func:`superposed_generate`.
        tokenizer: See there.
        prompt: A text, or token ids.
        samples: How many to draw, by nucleus sampling as in the paper: top-p 0.9, temperature
            0.6.
        sampled_tokens: How many tokens each takes.
        seed: Of the samples.
        options: More arguments of :func:`superposed_generate`.

    Returns:
        The drafts on top of each sample; the sample is the end of their ``prompt``.
    """
    ids = _encode(tokenizer, prompt)
    end = _end_of_text(model, tokenizer)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        drawn = model.generate(
            torch.tensor([ids], device=model.device),
            do_sample=True,
            top_p=0.9,
            top_k=0,
            temperature=0.6,
            num_return_sequences=samples,
            max_new_tokens=sampled_tokens,
            # A text that ended is not one to go on from.
            bad_words_ids=[[token] for token in end] or None,
            pad_token_id=end[0] if end else 0,
        )
    return superposed_generate(model, tokenizer, drawn.tolist(), **options)


@torch.no_grad()
def custom_generate(
    model: PreTrainedModel,
    input_ids: Tensor,
    logits_processor: LogitsProcessorList,
    stopping_criteria: StoppingCriteriaList,
    generation_config: GenerationConfig,
    drafts: int | None = None,
    ngram: Ngrams | None = None,
    settings: Settings | None = None,
    **model_kwargs: Any,
) -> Any:
    """What ``model.generate(ids, custom_generate=custom_generate, drafts=3)`` runs.

    ``generate`` prepares logits processors, stopping criteria, the maximum length and, with
    ``cache_implementation="static"``, a cache that the model's step can be compiled for.
    Leave ``num_beams``, ``num_return_sequences`` and ``do_sample`` as they are.

    Args:
        model: The model.
        input_ids: Prompts, padded on the left, (B, L).
        logits_processor: Applied to the distribution that all drafts share.
        stopping_criteria: Shown the best draft of each prompt; all must say stop.
        generation_config: Of it the length, the end of text and the form of the result.
        drafts: k; as the settings say if None, by default three.
        ngram: Counts that tell drafts apart.
        settings: How to decode; by default as the paper does for k drafts.
        model_kwargs: ``attention_mask``, (B, L), says which ids are no padding, and
            ``past_key_values`` is the cache; the rest is made here.

    Returns:
        k sequences a prompt, best first, (B * k, length), as ``num_return_sequences=k`` would
        give; where there are fewer drafts, the prompt alone fills up. With
        ``return_dict_in_generate``, ``sequences`` and ``sequences_scores``.

    Raises:
        UserError: If padding is not on the left.
    """
    from transformers.generation import GenerateBeamDecoderOnlyOutput

    # Not named above, as generate takes what is named there from its own preparations.
    mask = model_kwargs.get("attention_mask")
    mask = torch.ones_like(input_ids) if mask is None else mask
    if not bool((mask.diff(dim=1) >= 0).all()):
        raise UserError("prompts must be padded on the left: tokenizer.padding_side = 'left'")
    prompts = [row[keep.bool()].tolist() for row, keep in zip(input_ids, mask, strict=True)]
    settings = settings or for_drafts(drafts or Settings.drafts)
    k = settings.drafts if drafts is None else drafts
    settings = replace(
        settings,
        drafts=k,
        max_new_tokens=generation_config.max_length - input_ids.shape[1],
        eos=_as_tuple(generation_config.eos_token_id),
    )
    pad = generation_config.pad_token_id
    pad = settings.eos[0] if pad is None and settings.eos else pad or 0

    def sequences(rows: list[tuple[int, ...]]) -> Tensor:
        """Continuations of the prompts, in equal numbers for each."""
        longest = max(map(len, rows))
        added = torch.tensor([row + (pad,) * (longest - len(row)) for row in rows])
        heads = input_ids.repeat_interleave(len(rows) // len(input_ids), 0)
        return torch.cat([heads, added.to(heads)], 1)

    def process(states: list[State], logits: Tensor) -> Tensor:
        return logits_processor(sequences([_best(state) for state in states]), logits)

    network = SharedPass(model, model_kwargs.get("past_key_values"))
    processed = process if logits_processor else None
    for states, logits in decode(network, prompts, settings, ngram, processed):
        best = sequences([_best(state) for state in states])
        if bool(torch.as_tensor(stopping_criteria(best, logits)).all()):
            break
    found = [ranked(state, settings) for state in states]
    none = Draft((), -torch.inf, finished=False)
    rows = [draft for row in found for draft in (*row, *[none] * (k - len(row)))]
    result = sequences([draft.ids for draft in rows])
    if not generation_config.return_dict_in_generate:
        return result
    scores = torch.tensor([draft.score for draft in rows])
    return GenerateBeamDecoderOnlyOutput(sequences=result, sequences_scores=scores)


def _processing(
    processors: LogitsProcessorList | None,
) -> Callable[[list[State], Tensor], Tensor] | None:
    if not processors:
        return None

    def process(states: list[State], logits: Tensor) -> Tensor:
        rows = []
        for state, row in zip(states, logits, strict=True):
            ids = torch.tensor([state.prompt + _best(state)], device=logits.device)
            rows.append(processors(ids, row[None]))
        return torch.cat(rows)

    return process


def _encode(tokenizer: PreTrainedTokenizerBase, prompt: Prompt) -> tuple[int, ...]:
    ids = tokenizer(prompt).input_ids if isinstance(prompt, str) else prompt
    if not len(ids):
        raise UserError("an empty prompt gives a language model nothing to go on from")
    return tuple(int(i) for i in ids)


def _text(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> str:
    return tokenizer.decode(list(ids), skip_special_tokens=True)


def _end_of_text(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    found = _as_tuple(model.generation_config.eos_token_id)
    return found or _as_tuple(tokenizer.eos_token_id)


def _as_tuple(ids: int | Sequence[int] | None) -> tuple[int, ...]:
    if ids is None:
        return ()
    return (ids,) if isinstance(ids, int) else tuple(ids)
