# Prompts of 25 tokens.
_base_ = '../_base_/llm/drafts_llama2.py'

model = dict(decoders=dict(superposed=dict(preset='p25_d3')))
test_dataloader = dict(dataset=dict(prefix=25))
