# A language model to try things on: two domains of text that every Python carries.
_base_ = [
    '../_base_/llm/llama_tiny.py',
    '../_base_/llm/sample_text.py',
    '../_base_/llm/sample_1600.py',
    '../_base_/runtime/default.py',
]

default_hooks = dict(checkpoint=dict(interval=400))
