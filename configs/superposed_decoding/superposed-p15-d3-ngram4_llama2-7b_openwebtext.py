# Contexts of up to three tokens only, which take a fifth of the space.
_base_ = '../_base_/llm/drafts_llama2.py'

model = dict(decoders=dict(superposed=dict(preset='p15_d3_ngram4')))
