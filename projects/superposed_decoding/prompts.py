"""What drafts are measured on: beginnings of texts, and questions with known answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from mmengine.structures import BaseDataElement
from torch.utils.data import Dataset

from mmsuper.errors import UserError
from mmsuper.registry import DATASETS


class _Prompts(Dataset):
    """Prompts as ids, with what a decoder and a metric must know of each."""

    prompts: list[tuple[list[int], dict[str, Any]]]
    metainfo: ClassVar[dict] = {}  # nothing, but MMEngine asks

    def __len__(self) -> int:
        return len(self.prompts)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """A prompt: its ids ``inputs``, and ``data_samples``."""
        ids, known = self.prompts[index]
        return {"inputs": torch.tensor(ids), "data_samples": BaseDataElement(**known)}


@DATASETS.register_module()
class TextPrompts(_Prompts):
    """The beginnings of documents, all of the same number of tokens.

    A line of a ``.jsonl`` file is a document, of other files a paragraph: what stands between
    empty lines. Of those that are long enough, ``count`` are taken at even distances.

    Args:
        files: UTF-8 files, or folders that ``datasets`` saved.
        tokenizer: Hugging Face folder or name on the hub.
        prefix: Tokens of a prompt, the start token among them where the tokenizer adds one.
        beyond: How many tokens a document must have after its prompt.
        count: How many prompts; all there are if None.
        data_root: Folder of the files.
        field: Which field of a JSON line is the document.

    Raises:
        UserError: If a file is missing or damaged, or no document is long enough.
    """

    def __init__(
        self,
        files: Sequence[str],
        tokenizer: str,
        prefix: int = 15,
        beyond: int = 10,
        count: int | None = None,
        data_root: str = "",
        field: str = "text",
    ) -> None:
        from mmsuper.llm import load_tokenizer

        encode = load_tokenizer(tokenizer)
        paths = [Path(data_root, file) for file in files]
        found = []
        for text in _documents(paths, field):
            ids = encode(text, verbose=False).input_ids
            if len(ids) >= prefix + beyond:
                found.append(ids[:prefix])
        if not found:
            raise UserError(f"{paths[0]} has no document of {prefix + beyond} tokens")
        self.prompts = [(ids, {}) for ids in _spread(found, count)]


@DATASETS.register_module()
class Questions(_Prompts):
    """Questions whose right answers are known, in the wording of the paper.

    The number of tokens that a decoder may add comes from the right answers, as in the paper:
    three more than the longest alias (TriviaQA) or the shortest answer (NQ) has. That tells
    the decoders something, all of them the same; ``max_new_tokens`` is a length that does not.

    Args:
        file: ``wikipedia-dev.json`` of TriviaQA, or a JSON line a question of NQ-open.
        style: ``trivia`` or ``nq``.
        tokenizer: Hugging Face folder or name on the hub.
        max_new_tokens: A length for all; by the answers if None.
        count: How many questions, at even distances; all if None.
        data_root: Folder of the file.

    Raises:
        UserError: If the file is missing or not of that kind.
    """

    def __init__(
        self,
        file: str,
        style: str,
        tokenizer: str,
        max_new_tokens: int | None = None,
        count: int | None = None,
        data_root: str = "",
    ) -> None:
        from mmsuper.llm import load_tokenizer

        if style not in _QUESTIONS:
            raise UserError(f"questions are {' or '.join(_QUESTIONS)}, not {style!r}")
        encode = load_tokenizer(tokenizer)
        read, template, longest = _QUESTIONS[style]
        path = Path(data_root, file)
        try:
            questions = [(question, list(answers)) for question, answers in read(path)]
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path} is not of the layout of {style} questions") from error
        self.prompts = []
        for question, answers in _spread(questions, count):
            length = max_new_tokens or 3 + longest(
                len(encode(one, add_special_tokens=False).input_ids) for one in answers
            )
            ids = encode(template.format(question.rstrip("?"))).input_ids
            self.prompts.append((ids, {"answers": answers, "max_new_tokens": length}))


def _documents(paths: Sequence[Path], field: str) -> Iterator[str]:
    from mmsuper.llm.texts import read

    for path in paths:
        for document in read(path, field):
            whole = path.is_dir() or path.suffix == ".jsonl"
            yield from [document] if whole else filter(str.strip, document.split("\n\n"))


def _trivia(path: Path) -> Iterator[tuple[str, Sequence[str]]]:
    for entry in json.loads(path.read_text(encoding="utf-8"))["Data"]:
        yield entry["Question"], entry["Answer"]["Aliases"]


def _nq(path: Path) -> Iterator[tuple[str, Sequence[str]]]:
    for line in path.read_text(encoding="utf-8").splitlines():
        entry: Mapping[str, Any] = json.loads(line)
        yield entry["question"], entry["answer"]


# How to read a file, what a prompt looks like, and which answer's length counts.
_QUESTIONS: dict[str, tuple[Any, str, Any]] = {
    "trivia": (_trivia, "Question: {}?\nAnswer:", max),
    "nq": (_nq, "Answer these questions:\n\nQ: {}?\nA:", min),
}


def _spread(found: list[Any], count: int | None) -> list[Any]:
    """Some of a list's items, at even distances."""
    if count is None or count >= len(found):
        return found
    return [found[i * len(found) // count] for i in range(count)]
