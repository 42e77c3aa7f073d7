"""A toy model as a GPT-2 of transformers, which every tool for language models reads.

A GPT-2 without biases and with ReLU is just what a toy transformer is, if norms come first and
attention is a softmax. So the report on heads can be tried on a model of which one knows what
its head does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from mmsuper.errors import UserError
from mmsuper.llm.loading import transformers
from mmsuper.projects.active_dormant.data import sample
from mmsuper.projects.active_dormant.network import Block, FeedForward, Softmax, ToyTransformer
from mmsuper.projects.active_dormant.task import Counts, Task

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel, PreTrainedTokenizerFast


def to_gpt2(network: ToyTransformer) -> GPT2LMHeadModel:
    """The same network as a GPT-2, in evaluation mode.

    Raises:
        UserError: If it has a part that a GPT-2 does not have, or lacks one.
    """
    if not (network.pe is None and all(map(_has_gpt2_form, network.layers))):
        raise UserError(
            "only a toy transformer with all its parts, learned positions, norms first and "
            "softmax attention has the form of a GPT-2"
        )
    vocab_size, dim = network.tok_embeddings.weight.shape
    first = network.layers[0]
    config = transformers().GPT2Config(
        vocab_size=vocab_size,
        n_positions=len(network.pos_embeddings.weight),
        n_embd=dim,
        n_layer=len(network.layers),
        n_head=first.attention.n_heads,
        n_inner=len(first.ff.w1.weight),
        activation_function="relu",
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=None,
    )
    model = transformers().GPT2LMHeadModel(config)
    # What is not loaded are the biases, which a fresh GPT-2 has at zero.
    model.load_state_dict(_renamed(network), strict=False)
    return model.eval()


def _has_gpt2_form(block: Block) -> bool:
    attention = block.attention
    kinds = (
        (attention.weights, Softmax),
        (attention.wv, nn.Linear),
        (attention.wo, nn.Linear),
        (block.attention_norm, nn.LayerNorm),
        (block.ff_norm, nn.LayerNorm),
        (block.ff, FeedForward),
    )
    whole = block.pre_norm and not block.no_attn
    return whole and all(isinstance(part, kind) for part, kind in kinds)


def _renamed(network: ToyTransformer) -> dict[str, Tensor]:
    """The tensors by GPT-2's names. Its matrices stand the other way round."""
    found = {
        "transformer.wte.weight": network.tok_embeddings.weight,
        "transformer.wpe.weight": network.pos_embeddings.weight,
        "lm_head.weight": network.output.weight,
    }
    norms = {"transformer.ln_f": network.norm}
    for i, block in enumerate(network.layers):
        prefix, attention = f"transformer.h.{i}", block.attention
        joined = torch.cat([attention.wq.weight, attention.wk.weight, attention.wv.weight])
        found |= {
            f"{prefix}.attn.c_attn.weight": joined.T,
            f"{prefix}.attn.c_proj.weight": attention.wo.weight.T,
            f"{prefix}.mlp.c_fc.weight": block.ff.w1.weight.T,
            f"{prefix}.mlp.c_proj.weight": block.ff.w2.weight.T,
        }
        norms |= {f"{prefix}.ln_1": block.attention_norm, f"{prefix}.ln_2": block.ff_norm}
    for name, norm in norms.items():
        found |= {f"{name}.weight": norm.weight, f"{name}.bias": norm.bias}
    return found


def tokenizer(task: Task) -> PreTrainedTokenizerFast:
    """A tokenizer of single characters, which puts ``<s>`` first.

    Characters that the task's text does not have read as its delimiter.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors

    names = [task.name(token) for token in range(task.vocab_size)]
    made = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, "<d>"))
    made.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    made.decoder = decoders.Fuse()
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", task.bos[0])]
    )
    return transformers().PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", unk_token="<d>"
    )


def texts(task: Task, characters: int = 20_000, seed: int = 0) -> dict[str, str]:
    """Two kinds of text of a task: one has triggers, at which a head must act, one has none.

    Args:
        task: Whose laws the texts follow; the second as if there were no triggers in the
            alphabet.
        characters: Length of each.
        seed: Of the draws.
    """

    def text(task: Task) -> str:
        ids = sample(task, characters + task.bos_num, 1, seed)[0, task.bos_num :]
        return "".join(map(task.name, ids.tolist()))

    counts, kept = task.counts, ~task.is_trigger[: task.characters]
    plain = Counts(counts.characters, counts.unigram * kept, counts.bigram * np.outer(kept, kept))
    return {"copying": text(task), "plain": text(Task(plain, "markov"))}
