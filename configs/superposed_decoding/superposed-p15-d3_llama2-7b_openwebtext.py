# The paper's main setting: prompts of 15 tokens, three drafts, ten new tokens.
_base_ = '../_base_/llm/drafts_llama2.py'

model = dict(decoders=dict(superposed=dict(preset='p15_d3')))
