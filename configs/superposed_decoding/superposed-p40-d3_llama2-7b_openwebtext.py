# Prompts of 40 tokens.
_base_ = '../_base_/llm/drafts_llama2.py'

model = dict(decoders=dict(superposed=dict(preset='p40_d3')))
test_dataloader = dict(dataset=dict(prefix=40))
