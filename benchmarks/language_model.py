"""The tiny language model against counting: held-out perplexity beside a unigram's and a trigram's.

    python benchmarks/language_model.py
    python benchmarks/language_model.py FOLDER

All have the folder's tokenizer, were trained on the sample texts' training parts and are
scored on their held-out parts, each domain as one text, which the model sees in windows of 256
tokens side by side. The trigram model mixes the relative frequencies of trigrams, bigrams,
unigrams and a uniform distribution; the weights come from the last twentieth of the training
texts by expectation maximisation.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np

from mmsuper.llm import load_model, perplexity
from mmsuper.llm.texts import TextWindows

ROOT = Path(__file__).resolve().parents[1]
WINDOW = 256


class NGrams:
    """Relative frequencies of n-grams of orders 0 (uniform) to ``order``, mixed."""

    def __init__(self, texts: list[np.ndarray], order: int, size: int) -> None:
        self.order, self.size = order, size
        kept = [text[: len(text) * 19 // 20] for text in texts]
        rest = [text[len(text) * 19 // 20 :] for text in texts]
        self.counts = [self._count(kept, n) for n in range(1, order + 1)]
        self.weights = np.full(order + 1, 1 / (order + 1))
        parts = np.concatenate([self._parts(text) for text in rest], axis=1)
        for _ in range(20):
            shares = self._mixed(parts)
            self.weights = (shares / shares.sum(0)).mean(1)

    def perplexity(self, text: np.ndarray) -> float:
        """Perplexity over all tokens but the first."""
        return math.exp(-np.log(self._mixed(self._parts(text)).sum(0)).mean())

    def _mixed(self, parts: np.ndarray) -> np.ndarray:
        """What each order adds to a probability: nothing if it does not know the context."""
        weights = np.where(np.isnan(parts), 0, self.weights[:, None])
        return np.nan_to_num(parts) * weights / weights.sum(0)

    def _keys(self, text: np.ndarray, n: int) -> np.ndarray:
        """A number for the n-gram that ends at each token but the first; END before the text."""
        padded = np.concatenate([np.zeros(n, dtype=np.int64), text.astype(np.int64)])
        keys = np.zeros(len(text) - 1, dtype=np.int64)
        for i in range(n):
            keys = keys * self.size + padded[i + 2 : i + 1 + len(text)]
        return keys

    def _count(self, texts: list[np.ndarray], n: int) -> tuple[np.ndarray, np.ndarray]:
        keys = np.concatenate([self._keys(text, n) for text in texts])
        return np.unique(keys, return_counts=True)

    def _parts(self, text: np.ndarray) -> np.ndarray:
        """Each order's probability of each token but the first; NaN where the context is new."""
        parts = [np.full(len(text) - 1, 1 / self.size)]
        for n, (keys, counts) in enumerate(self.counts, 1):
            of_context = np.bincount(np.unique(keys // self.size, return_inverse=True)[1], counts)
            contexts = np.unique(keys // self.size)
            wanted = self._keys(text, n)
            total = _look_up(contexts, of_context, wanted // self.size)
            with np.errstate(invalid="ignore"):
                parts.append(_look_up(keys, counts, wanted) / total)
        return np.stack(parts)


def _look_up(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    places = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
    return np.where(keys[places] == wanted, values[places], 0)


def texts(folder: str, split: str) -> TextWindows:
    """A part of the sample texts in a folder's tokens."""
    names = {domain: f"{domain}/{split}.txt" for domain in ("prose", "code")}
    return TextWindows(names, folder, WINDOW, data_root="data/samples/text")


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default=str(ROOT / "demo/weights/tiny-llama"))
    folder = parser.parse_args().folder
    from mmsuper.data import samples

    samples.make("data/samples", ["text"])
    training, held_out = texts(folder, "train"), texts(folder, "val")
    model = load_model(folder, dtype="float32")
    trained_on = [training.ids(name) for name in training.texts]
    size = model.config.vocab_size
    rows = {
        "unigram": NGrams(trained_on, 1, size).perplexity,
        "trigram, interpolated": NGrams(trained_on, 3, size).perplexity,
        Path(folder).name: lambda ids: perplexity(model, ids, WINDOW),
    }
    counts = held_out.metainfo["texts"]
    print(
        "| model | " + " | ".join(f"{name}: perplexity | bits per byte" for name in counts) + " |"
    )
    print("|---" * (1 + 2 * len(counts)) + "|")
    for row, measure in rows.items():
        cells = []
        for name, count in counts.items():
            found = measure(held_out.ids(name))
            cells.append(f"{found:.1f} | {math.log2(found) * count['tokens'] / count['bytes']:.3f}")
        print(f"| {row} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
