"""The bridge from Hugging Face causal language models to MMEngine; see ``docs/llm.md``.

Importing it imports neither transformers nor datasets; the functions do when called.
"""

from mmsuper.llm.loading import load_model, load_tokenizer
from mmsuper.llm.perplexity import perplexity

__all__ = ["load_model", "load_tokenizer", "perplexity"]
