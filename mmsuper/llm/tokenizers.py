"""Tokenizers of the data sets: a model's own, or one trained on given texts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsuper.errors import UserError
from mmsuper.llm import cache
from mmsuper.llm.loading import load_tokenizer, transformers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

#: Begins and ends a text, and fills up batches.
END = "<|endoftext|>"


def build(
    spec: str | Path | Mapping[str, Any], data_root: str | Path, cache_dir: str | Path
) -> PreTrainedTokenizerBase:
    """The tokenizer that a config asks for.

    Args:
        spec: A Hugging Face folder, the name of a model on the hub, or
            ``dict(files=[...], vocab_size=N)`` for one trained on these files.
        data_root: Folder of the files.
        cache_dir: Where a trained one is kept.

    Raises:
        UserError: If there is no such tokenizer or file.
    """
    if not isinstance(spec, Mapping):
        return load_tokenizer(spec)
    if spec.keys() != {"files", "vocab_size"}:
        raise UserError(f"a tokenizer is trained by files and vocab_size, not by {dict(spec)}")
    return train([Path(data_root, file) for file in spec["files"]], spec["vocab_size"], cache_dir)


def train(
    files: Sequence[str | Path], vocab_size: int, cache_dir: str | Path
) -> PreTrainedTokenizerBase:
    """A byte-level BPE tokenizer trained on text files, the same for the same content.

    Args:
        files: UTF-8 text files.
        vocab_size: How many tokens, of which 256 are the bytes and one is :data:`END`.
        cache_dir: Where it is kept; trained anew if it is not there.

    Raises:
        UserError: If a file is missing.
    """
    from tokenizers import Tokenizer

    paths = [Path(file) for file in files]
    path = Path(cache_dir) / f"tokenizer-{cache.key('bpe', vocab_size, files=paths)}.json"
    content = cache.read_or_make(path, lambda: _train(paths, vocab_size))
    return transformers().PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(content.tobytes().decode()),
        bos_token=END,
        eos_token=END,
        pad_token=END,
        padding_side="left",
    )


def _train(files: Sequence[Path], vocab_size: int) -> bytes:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train([str(file) for file in files], trainer)
    return tokenizer.to_str().encode()


def fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """A name that two tokenizers share if and only if they cut every text alike."""
    if tokenizer.is_fast:
        from tokenizers import Tokenizer

        # Padding and truncation are states that a call leaves behind.
        backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
        backend.no_padding()
        backend.no_truncation()
        content = backend.to_str()
    else:
        content = json.dumps([type(tokenizer).__name__, tokenizer.get_vocab()], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:32]
