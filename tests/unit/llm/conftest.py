"""A language model of a few thousand weights, random, with a tokenizer of its own."""

from pathlib import Path

import pytest
import torch
from tiny_llm import MODEL, TEXTS

from mmsuper.llm import tokenizers
from mmsuper.llm.causal_lm import CausalLM


@pytest.fixture(scope="session")
def texts(tmp_path_factory):
    """Folder of two small texts."""
    folder = tmp_path_factory.mktemp("texts")
    for name, text in TEXTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def model():
    torch.manual_seed(0)
    return CausalLM(config=MODEL).eval()


@pytest.fixture(scope="session")
def tokenizer(texts, tmp_path_factory):
    files = [texts / name for name in TEXTS]
    return tokenizers.train(files, 300, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def folder(model, tokenizer, tmp_path_factory):
    """Both as a Hugging Face folder."""
    folder = Path(tmp_path_factory.mktemp("hf"))
    model.model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
