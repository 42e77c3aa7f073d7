"""What the recorded cases compare: single steps, whole generations, n-grams, measurements."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mmsuper.parity import Case, numbers
from mmsuper.projects.superposed_decoding import metrics
from mmsuper.projects.superposed_decoding.convert import from_official
from mmsuper.projects.superposed_decoding.decoding import Draft, Settings, State, start, step
from mmsuper.projects.superposed_decoding.generate import decode
from mmsuper.projects.superposed_decoding.network import SharedPass
from mmsuper.projects.superposed_decoding.ngrams import (
    NgramIndex,
    build_from_ids,
    update_from_ids,
)

PAD = -1
# The authors' tables always have k rows. Rows with such a score are no drafts: some could not
# be filled, others have ended. Here they are not there.
FILLER_SCORE = -1e6


def outputs(case: Case) -> dict[str, Any]:
    """Compute every output that the case records."""
    if "tables" in case.expected:
        return _tables(case)
    if "sequences" in case.spec:
        return _measurements(case)
    if "logits" in case.expected:
        return _steps(case)
    return _generation(case)


def tolerance_key(output: str) -> str:
    """Under which of the case's tolerances an output falls; ids must be the same."""
    if output == "alive_perplexity":
        return "rtol 2e-4"  # exp(-score / tokens), of eight tokens or more
    return output.rpartition("_")[2]


class Counts:
    """N-grams of a few documents in dictionaries."""

    def __init__(self, documents: Sequence[Sequence[int]], orders: Sequence[int]) -> None:
        self.orders = orders
        self._next: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for ids in documents:
            for order in orders:
                for i in range(order, len(ids)):
                    self._next[tuple(ids[i - order : i])][ids[i]] += 1

    def rows(self, context: Sequence[int], order: int) -> tuple[np.ndarray, np.ndarray, int] | None:
        """See :class:`mmsuper.projects.superposed_decoding.decoding.Ngrams`."""
        row = self._next.get(tuple(context[-order:]))
        if row is None:
            return None
        tokens = sorted(row)
        return np.array(tokens), np.array([row[token] for token in tokens]), row.total()


def _settings(case: Case, max_new_tokens: int) -> Settings:
    spec = case.spec
    return Settings(
        drafts=spec["n_drafts"],
        kept=spec["n_token_sample"],
        temperature=spec["temperature"],
        alpha=spec["alpha"],
        weights=tuple(spec["lambda"]),
        penalty=spec["penalty"],
        smoothing=spec["smoothing"],
        max_new_tokens=max_new_tokens,
        eos=(spec["eos_id"],),
    )


def _steps(case: Case) -> dict[str, Any]:
    """Steps from given logits, which are an input and are not compared."""
    spec, logits = case.spec, torch.from_numpy(case.expected["logits"])
    settings = _settings(case, len(logits))
    ngrams = Counts(spec["corpus"], spec["orders"])
    steps, state = [], start(spec["prompt"])
    for row in logits:
        state = step(row, state, settings, ngrams)
        steps.append(_recorded(state, settings, len(spec["prompt"]) + len(logits), len(row)))
    names = ("alive", "scores", "weights", "finished", "finished_scores")
    found = {name: np.stack([row[name] for row in steps]) for name in names}
    alive = _fillers(found["scores"], case.expected["scores"])
    ended = _fillers(found["finished_scores"], case.expected["finished_scores"])
    masks = {"alive": alive, "scores": alive, "finished": ended, "finished_scores": ended}
    return _masked(found, masks) | {"logits": np.ma.masked_all(logits.shape)}


def _generation(case: Case) -> dict[str, Any]:
    """Prompts that begin together and end together, whatever their length.

    The shorter ones decode while the longer are still read, so all together need as many
    steps as the shortest takes. A prompt that is still being read has drafts that are copies
    of its beginning.
    """
    spec = case.spec
    prompts = spec["prompts"]
    lengths = [len(prompt) for prompt in prompts]
    total, first = max(lengths) + spec["max_gen_len"], min(lengths)
    ngrams = Counts(spec["corpus"], spec["orders"]) if spec["corpus"] else None
    model = from_official(case.weights(), **spec["model"])
    vocabulary = model.config.vocab_size
    per_prompt = []
    for prompt in prompts:
        settings = _settings(case, total - len(prompt))
        with torch.no_grad():
            read = model(torch.tensor([prompt])).logits[0]
        steps = [
            _reading(prompt, position, settings, total, vocabulary)
            | {"logits": read[position - 1].numpy()}
            for position in range(first, len(prompt))
        ]
        for (state,), logits in decode(SharedPass(model), [prompt], settings, ngrams):
            recorded = _recorded(state, settings, total, vocabulary)
            steps.append(recorded | {"logits": logits[0].numpy()})
        per_prompt.append(steps)
    last = [steps[-1] for steps in per_prompt]
    found = {
        f"step_{name}": np.stack(
            [[steps[i][name] for steps in per_prompt] for i in range(total - first)]
        )
        for name in ("alive", "scores", "token", "weights", "logits")
    } | {
        name: np.stack([row[name] for row in last])
        for name in ("alive", "scores", "finished", "finished_scores")
    }
    found["alive_perplexity"] = np.exp(-found["scores"] / (total - first))
    steps_alive = _fillers(found["step_scores"], case.expected["step_scores"])
    ended = _fillers(found["finished_scores"], case.expected["finished_scores"])
    masks = dict.fromkeys(("step_alive", "step_scores", "step_token"), steps_alive)
    masks |= dict.fromkeys(("alive", "alive_perplexity"), steps_alive[-1])
    masks |= dict.fromkeys(("finished", "finished_scores"), ended)
    given = {"prompt_lengths": np.array(lengths), "first_position": np.array(first)}
    return _masked(found, masks) | given


def _fillers(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Rows that hold no draft, neither here nor there."""
    return np.isnan(ours) & (theirs <= FILLER_SCORE)


def _masked(found: dict[str, np.ndarray], masks: dict[str, np.ndarray]) -> dict[str, Any]:
    """Take what is masked out of the comparison; a mask may lack the last dimension."""
    for name, mask in masks.items():
        values = found[name]
        mask = mask.reshape(mask.shape + (1,) * (values.ndim - mask.ndim))
        found[name] = np.ma.MaskedArray(values, np.broadcast_to(mask, values.shape))
    return found


def _recorded(state: State, settings: Settings, total: int, vocabulary: int) -> dict[str, Any]:
    """A state as the authors' code holds it, in tables of k rows."""
    scores = state.scores.tolist()
    drafts = [Draft(ids, s, False) for ids, s in zip(state.drafts, scores, strict=True)]
    alive, scores = _table(state.prompt, drafts, settings, total)
    finished, finished_scores = _table(state.prompt, state.finished, settings, total)
    weights = np.zeros(vocabulary, np.float32)
    np.add.at(weights, state.last_tokens, state.weights.numpy())
    end = len(state.prompt) + len(state.drafts[0])
    return {
        "alive": alive,
        "scores": scores,
        "token": alive[:, end - 1],
        "weights": weights,
        "finished": finished,
        "finished_scores": finished_scores,
    }


def _table(
    prompt: Sequence[int], drafts: Sequence[Draft], settings: Settings, total: int
) -> tuple[np.ndarray, np.ndarray]:
    """Ids and scores, where there is no draft -2 and not a number."""
    rows = np.full((settings.drafts, total), PAD - 1)
    scores = np.full(settings.drafts, np.nan)
    for i, draft in enumerate(drafts):
        ids = [*prompt, *draft.ids]
        rows[i] = ids + [PAD] * (total - len(ids))
        scores[i] = draft.score
    return rows, scores


def _reading(
    prompt: Sequence[int], position: int, settings: Settings, total: int, vocabulary: int
) -> dict[str, Any]:
    """What is recorded of a prompt while its token at a position is read."""
    drafts = [Draft((), 0.0, False)] * settings.drafts
    alive, scores = _table(prompt, drafts, settings, total)
    weights = np.zeros(vocabulary, np.float32)
    weights[prompt[position]] = 1
    return {"alive": alive, "scores": scores, "token": alive[:, position], "weights": weights}


def _tables(case: Case) -> dict[str, Any]:
    """All rows of an index to which some documents were added later, and single queries."""
    spec = case.spec
    shards = np.array_split(np.arange(len(spec["corpus"])), spec["shards_used"])
    first, *others = [[spec["corpus"][i] for i in shard] for shard in shards]
    with tempfile.TemporaryDirectory() as folder:
        vocab_size = 1 + max(map(max, spec["corpus"]))
        index = build_from_ids(first, folder, vocab_size, max(spec["orders"]))
        for documents in others:
            index = update_from_ids(folder, documents)
        tables = {str(order): _rows(index, spec["corpus"], order) for order in spec["orders"]}
        queries = [_query(index, query) for query in spec["expected"]["queries"]]
    return {"tables": numbers(tables), "queries": numbers(queries)}


def _rows(index: NgramIndex, corpus: Sequence[Sequence[int]], order: int) -> list[Any]:
    """Every context of a length that is in a corpus, with what follows it."""
    contexts = {tuple(ids[i : i + order]) for ids in corpus for i in range(len(ids) - order + 1)}
    found = []
    for context in sorted(contexts):
        row = index.rows(context, order)
        if row is not None:
            tokens, counts, _ = row
            found.append([list(context), np.stack([tokens, counts], 1).tolist()])
    return found


def _query(index: NgramIndex, query: dict[str, Any]) -> dict[str, Any]:
    row = index.rows(query["context"], len(query["context"]))
    if row is None:
        return {**query, "probability": -1}
    tokens, counts, total = row
    return {**query, "probability": counts[tokens == query["token"]].sum() / total}


def _measurements(case: Case) -> dict[str, Any]:
    """Perplexity, Self-BLEU and uniqueness of given drafts."""
    spec = case.spec
    begin = spec["prompt_len"]
    model = from_official(case.weights(), **spec["model"])
    prompts = [
        (rows[0][:begin], [[i for i in row[begin:] if i != spec["pad"]] for row in rows])
        for rows in spec["sequences"]
    ]
    scores = np.array([metrics.perplexities(model, *prompt) for prompt in prompts])
    alike = [metrics.self_bleu(drafts) for _, drafts in prompts]
    unique = [
        [np.mean([metrics.distinct(drafts[rank], n) for _, drafts in prompts]) for n in (1, 2, 3)]
        for rank in range(scores.shape[1])
    ]
    found = {
        "perplexity": scores.tolist(),
        "perplexity per draft, mean over prompts": scores.mean(0).tolist(),
        "best draft, mean over prompts": float(scores.min(1).mean()),
        "self_bleu": float(np.mean(alike)),
        "self_bleu per prompt": alike,
        "uniqueness per draft [unigram, bigram, trigram]": unique,
    }
    return {name: numbers(value) for name, value in found.items()}
