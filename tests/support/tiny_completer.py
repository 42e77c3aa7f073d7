"""A language model of a few thousand random weights that completes texts."""

import torch
from tiny_llm import MODEL, TEXTS

from mmsuper.llm import tokenizers
from mmsuper.projects.superposed_decoding.completer import Completer


def make(folder):
    """The model, with a tokenizer that is trained in that folder."""
    from transformers import AutoConfig, AutoModelForCausalLM

    texts = []
    for name, text in TEXTS.items():
        texts.append(folder / name)
        texts[-1].write_text(text, encoding="utf-8")
    tokenizer = tokenizers.train(texts, MODEL["vocab_size"], folder / "cache")
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**MODEL)).eval()
    return Completer("tiny", model, tokenizer)


def save(folder):
    """The same as a Hugging Face folder; returns where it is."""
    completer = make(folder)
    completer.model.save_pretrained(folder / "tiny")
    completer.tokenizer.save_pretrained(folder / "tiny")
    return folder / "tiny"
