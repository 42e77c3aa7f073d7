"""Texts as token ids, and the data set of windows on them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from mmengine.structures import BaseDataElement
from torch.utils.data import Dataset

from mmsuper.engine.distributed import first_alone
from mmsuper.errors import UserError
from mmsuper.llm import cache, tokenizers
from mmsuper.llm.perplexity import windows
from mmsuper.registry import DATASETS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@DATASETS.register_module()
class TextWindows(Dataset):
    """Windows on texts: whole ones side by side to train on, overlapping ones to score.

    A text is one or more files of one kind: ``.jsonl``, a JSON object a line of which one
    field is a document; a folder that ``datasets`` saved; anything else is UTF-8, one
    document a file. Documents are tokenised with the special tokens that the tokenizer adds
    by itself, and end with its end token if the text has more than one. The ids are cached
    under the content of the files and of the tokenizer.

    Args:
        texts: ``{name: file}`` or ``{name: [file, ...]}``; metrics are given by name.
        tokenizer: See :func:`mmsuper.llm.tokenizers.build`.
        window: How many tokens a sample has; the last of a text may have fewer.
        stride: How far windows are apart; ``window`` if None. See
            :mod:`mmsuper.llm.perplexity`.
        data_root: Folder of the files.
        field: Which field of a JSON line or of a ``datasets`` folder is the document.
        cache_dir: Where ids and trained tokenizers are kept.

    Raises:
        UserError: If a text is missing, empty or damaged.
    """

    def __init__(
        self,
        texts: Mapping[str, str | Sequence[str]],
        tokenizer: str | Mapping[str, Any],
        window: int,
        stride: int | None = None,
        data_root: str = "",
        field: str = "text",
        cache_dir: str = "data/cache",
    ) -> None:
        self.texts = {name: _paths(files, data_root) for name, files in texts.items()}
        self.field, self.cache_dir = field, Path(cache_dir)

        def load() -> None:
            self.tokenizer = tokenizers.build(tokenizer, data_root, cache_dir)
            self.loaded = {name: self._load(files) for name, files in self.texts.items()}

        first_alone(load)
        self.metainfo = {
            "texts": {
                name: {"tokens": len(ids), "bytes": size}
                for name, (ids, size) in self.loaded.items()
            }
        }
        self.windows = [
            (name, *place)
            for name, (ids, _) in self.loaded.items()
            for place in windows(len(ids), window, stride)
        ]

    def ids(self, name: str) -> np.ndarray:
        """All ids of a text, int32, mapped from the disk."""
        return self.loaded[name][0]

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A window: its ids ``inputs``, and which text it is of and how much of it is scored."""
        name, begin, end, scored = self.windows[index]
        inputs = torch.from_numpy(self.ids(name)[begin:end].astype(np.int64))
        return {"inputs": inputs, "data_samples": BaseDataElement(text=name, scored=scored)}

    def _load(self, files: list[Path]) -> tuple[np.ndarray, int]:
        """The ids of a text, and how many bytes it has."""
        words = ("ids", tokenizers.fingerprint(self.tokenizer), self.field)
        path = self.cache_dir / f"ids-{cache.key(*words, files=files)}.bin"
        content = cache.read_or_make(path, lambda: self._tokenise(files))
        return content[8:].view(np.int32), int(content[:8].view(np.int64)[0])

    def _tokenise(self, files: list[Path]) -> bytes:
        documents = [document for file in files for document in read(file, self.field)]
        size = sum(len(document.encode()) for document in documents)
        if not size:
            raise UserError(f"no text in {files[0]}")
        ids = list(encode(self.tokenizer, documents))
        return np.int64(size).tobytes() + np.array(ids, dtype=np.int32).tobytes()


def encode(tokenizer: PreTrainedTokenizerBase, documents: Sequence[str]) -> Iterator[int]:
    """The ids of documents as :class:`TextWindows` packs them."""
    end = [] if len(documents) == 1 else [tokenizer.eos_token_id]
    if end == [None]:
        raise UserError("the tokenizer has no end token to put between documents")
    for begin in range(0, len(documents), 1000):
        # Not verbose: a text longer than the model's window is what is wanted here.
        for ids in tokenizer(documents[begin : begin + 1000], verbose=False)["input_ids"]:
            yield from ids
            yield from end


def read(path: Path, field: str = "text") -> Iterable[str]:
    """The documents of a file or of a ``datasets`` folder.

    Raises:
        UserError: If it is damaged, no UTF-8, or lacks the field.
    """
    if path.is_dir():
        return _read_folder(path, field)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is no UTF-8 text: byte {error.start} is wrong") from error
    return _read_lines(path, text, field) if path.suffix == ".jsonl" else [text]


def _read_lines(path: Path, text: str, field: str) -> Iterator[str]:
    for number, line in enumerate(text.split("\n"), 1):
        try:
            document = json.loads(line)[field] if line.strip() else ""
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise UserError(f"{path}:{number} is no JSON object with {field!r}") from error
        if not isinstance(document, str):
            raise UserError(f"{path}:{number}: {field!r} is no text")
        if document:
            yield document


def _read_folder(path: Path, field: str) -> Iterable[str]:
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise UserError(
            f"{path} is a folder of datasets, which is not installed: "
            "pip install 'mmsuper-lab[llm]'"
        ) from error
    try:
        return datasets.load_from_disk(str(path))[field]
    except (FileNotFoundError, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is no folder of datasets with {field!r}: {reason}") from error


def _paths(files: str | Sequence[str], data_root: str) -> list[Path]:
    return [Path(data_root, file) for file in ([files] if isinstance(files, str) else files)]
