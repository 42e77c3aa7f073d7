# A LLaMA of 1.8 M parameters with random weights. All sizes are multiples of 128, which
# quantization by groups likes.
default_scope = 'mmengine'
vocab_size = 4096
model = dict(
    type='mmsuper.CausalLM',
    config=dict(
        model_type='llama',
        vocab_size=vocab_size,
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0))
