"""A language model of a few thousand weights, and two texts for it."""

TEXTS = {
    "prose.txt": "The pages say what a function takes and what it gives. " * 8 + "Ünicode: ✓.",
    "code.txt": "def f(x):\n    return x + 1\n\n\n" * 12,
}
MODEL = {
    "model_type": "llama",
    "vocab_size": 300,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 64,
    "tie_word_embeddings": True,
    # Large, so that random predictions differ by position.
    "initializer_range": 0.5,
}
