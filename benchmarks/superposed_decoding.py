"""Superposed Decoding against other ways to get several texts of one prompt.

    python benchmarks/superposed_decoding.py                    # some minutes
    python benchmarks/superposed_decoding.py --drafts 3 8 --runs 5
    python benchmarks/superposed_decoding.py --device cuda --size 8b --dtype bfloat16

A LLaMA with random weights completes one prompt of 15 tokens by 10; speed does not depend on
what the weights are. For each number of drafts these are timed in turns, and the ratios are
of the medians:

- greedy: one text, the most probable token each time;
- ours: k superposed drafts, with n-grams of five orders;
- sequential: k nucleus samples (top-p 0.9, temperature 0.6), one after another, which is
  what the paper compares with;
- batched: k nucleus samples at once (``num_return_sequences=k``);
- beams: beam search for k texts (``num_beams=k``).

All go through ``model.generate``. The index is of text with Zipf's distribution and of
continuations that the model makes of the prompt, so that look-ups of all orders find rows.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from statistics import median
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from measure import clock_of, medians, peak_megabytes
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from mmsuper.projects.superposed_decoding.generate import custom_generate, decode
from mmsuper.projects.superposed_decoding.network import SharedPass
from mmsuper.projects.superposed_decoding.ngrams import NgramIndex, build_from_ids
from mmsuper.projects.superposed_decoding.presets import for_drafts

VOCABULARY = 32000
SIZES = {
    "134m": {"hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 12},
    "8b": {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32},
}
HEADS = {
    "134m": {"num_attention_heads": 12, "num_key_value_heads": 12},
    "8b": {"num_attention_heads": 32, "num_key_value_heads": 8},
}
PROMPT, NEW = 15, 10
NUCLEUS = {"do_sample": True, "top_p": 0.9, "top_k": 0, "temperature": 0.6}


def main() -> None:
    arguments = parse()
    torch.set_num_threads(arguments.threads)
    console = Console(stderr=True, width=140)
    columns = ("k", "greedy ms", "ours ms", "sequential ms", "batched ms", "beams ms")
    ratios = ("ours/greedy", "sequential/ours", "batched/ours", "beams/ours")
    parts = ("prefill ms", "decode ms", "look-up ms", "rest ms")
    memory = ("ours MB", "sequential MB", "batched MB", "beams MB")
    with tempfile.TemporaryDirectory() as folder:
        make_index(folder, arguments)
        peaks = {
            k: [peak_megabytes(Subject, (k, way, folder, arguments)) for way in WAYS[1:]]
            for k in track(arguments.drafts if arguments.memory else (), "memory", console=console)
        }
        subject = Subject(1, "ours", folder, arguments)
        size = f"{subject.network.num_parameters() / 1e6:.0f} M parameters"
        where = f"{arguments.device}, {arguments.dtype}, torch {torch.__version__}"
        index = subject.index
        title = f"LLaMA of {size}, {where}; index {index.bytes / 1e6:.0f} MB"
        table = Table(*columns, *ratios, *parts, *(memory if arguments.memory else ()), title=title)
        for k in track(arguments.drafts, "time", console=console):
            cells = [str(k), *row(subject, k, arguments), *(f"{mb:.1f}" for mb in peaks.get(k, []))]
            console.print(" | ".join(cells))  # a long run that is stopped has not run for nothing
            table.add_row(*cells)
    Console(width=220).print(table)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--drafts", nargs="+", type=int, default=[1, 2, 3, 5, 8], metavar="K")
    parser.add_argument("--runs", type=int, default=15, help="timed runs of each, after one more")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--size", default="134m", choices=SIZES)
    parser.add_argument("--memory", action="store_true", help="peaks, in processes of their own")
    return parser.parse_args()


def make_model(arguments: argparse.Namespace) -> LlamaForCausalLM:
    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=VOCABULARY, **SIZES[arguments.size], **HEADS[arguments.size])
    with torch.device(arguments.device):
        torch.set_default_dtype(getattr(torch, arguments.dtype))
        model = LlamaForCausalLM(config).eval()
        torch.set_default_dtype(torch.float32)
    model.generation_config.eos_token_id = None  # every text has its full length
    model.generation_config.pad_token_id = 0
    return model


def make_prompt(device: str) -> Tensor:
    random = np.random.default_rng(1)
    return torch.tensor([[1, *random.integers(3, VOCABULARY, PROMPT - 1).tolist()]], device=device)


def make_index(folder: str, arguments: argparse.Namespace) -> None:
    """N-grams of half a million tokens, and of texts that go on from the prompt."""
    random = np.random.default_rng(0)
    shares = 1 / np.arange(1, VOCABULARY + 1)
    text = random.choice(VOCABULARY, (1000, 500), p=shares / shares.sum())
    options: dict[str, Any] = {"do_sample": True, "top_k": 9, "num_return_sequences": 64}
    prompt = make_prompt(arguments.device)
    drawn = make_model(arguments).generate(prompt, max_new_tokens=NEW, **options)
    build_from_ids([*text.tolist(), *drawn.tolist()], f"{folder}/index", VOCABULARY)


class Subject:
    """A model, a prompt and one way to complete it; made anew in another process."""

    def __init__(self, k: int, way: str, folder: str, arguments: argparse.Namespace) -> None:
        self.device = arguments.device
        self.network = make_model(arguments)
        self.image = make_prompt(self.device)  # what is read, as the measurements call it
        self.index = NgramIndex.open(f"{folder}/index")
        self.options: dict[str, Any] = {"max_new_tokens": NEW}
        self.k, self.way = k, way

    def run(self) -> object:
        return self.call(self.k, self.way)()

    def call(self, k: int, way: str) -> Callable[[], object]:
        """The way to complete the prompt."""
        if way == "sequential":
            once = self._generate(**NUCLEUS)
            return lambda: [once() for _ in range(k)]
        if way == "batched":
            return self._generate(**NUCLEUS, num_return_sequences=k)
        if way == "beams":
            return self._generate(do_sample=False, num_beams=k, num_return_sequences=k)
        if way == "greedy":
            return self._generate(do_sample=False)
        return self._generate(custom_generate=custom_generate, drafts=k, ngram=self.index)

    def _generate(self, **options: Any) -> Callable[[], object]:
        return lambda: self.network.generate(self.image, **self.options, **options)


WAYS = ("greedy", "ours", "sequential", "batched", "beams")


def row(subject: Subject, k: int, arguments: argparse.Namespace) -> list[str]:
    """One line of the table."""
    calls = [subject.call(k, way) for way in WAYS]
    seconds = medians(calls, arguments.runs, arguments.device)
    greedy, ours, *others = seconds
    ratios = [ours / greedy, *(other / ours for other in others)]
    inside = parts(subject, k, arguments.runs)
    return [
        *(f"{1000 * s:.1f}" for s in seconds),
        *(f"{ratio:.2f}x" for ratio in ratios),
        *(f"{1000 * s:.1f}" for s in inside),
    ]


def parts(subject: Subject, k: int, runs: int) -> list[float]:
    """Median seconds of prefill, decoding, look-ups and the rest of one generation."""
    ids = [subject.image[0].tolist()]
    rows = []
    for _ in range(runs + 1):
        network = SharedPass(subject.network)
        read, feed = Timed(network.read, subject.device), Timed(network.feed, subject.device)
        network.read, network.feed = read, feed  # type: ignore[method-assign]
        look_up = Timed(subject.index.rows, "cpu")
        ngrams = SimpleNamespace(rows=look_up, orders=subject.index.orders)
        everything = Timed(lambda *given: list(decode(*given)), subject.device)
        everything(network, ids, for_drafts(k), ngrams)
        known = [read.seconds, feed.seconds, look_up.seconds]
        rows.append([*known, everything.seconds - sum(known)])
    return [median(column) for column in zip(*rows[1:], strict=True)]


class Timed:
    """A call that adds up the time it takes."""

    def __init__(self, call: Callable, device: str) -> None:
        self.call, self.device, self.seconds = call, device, 0.0

    def __call__(self, *given: Any) -> Any:
        clock = clock_of(self.device)
        start = clock()
        result = self.call(*given)
        if self.device != "cpu":
            torch.cuda.synchronize()
        self.seconds += clock() - start
        return result


if __name__ == "__main__":
    main()
