"""A tiny model with random weights of each family that the tap on language models reads."""

import torch
import transformers

COMMON = {
    "vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "max_position_embeddings": 32, "pad_token_id": 0,
    "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
GROUPED = {"num_key_value_heads": 2, "head_dim": 8}
FAMILIES = {
    "llama": GROUPED,
    "mistral": {**GROUPED, "sliding_window": 5},
    "qwen3": GROUPED,
    "gemma2": {**GROUPED, "sliding_window": 5, "attn_logit_softcapping": 3.0},
    "gpt2": {"n_positions": 32},
    "gpt_neox": {},
    "olmo": {},
    "olmo2": {},
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 32},
    "gpt_oss": {**GROUPED, "num_local_experts": 2, "num_experts_per_tok": 1, "sliding_window": 5},
}


def build(family, **options):
    """A model whose attention is not all but uniform, as a fresh one's is."""
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(family, **COMMON, **(options or FAMILIES[family]))
    model = transformers.AutoModelForCausalLM.from_config(
        config, attn_implementation="eager"
    ).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1 or "sinks" in name:
                parameter.normal_(std=0.4)
    return model
