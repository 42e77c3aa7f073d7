# Prompts of 5 tokens.
_base_ = '../_base_/llm/drafts_llama2.py'

model = dict(decoders=dict(superposed=dict(preset='p5_d3')))
test_dataloader = dict(dataset=dict(prefix=5))
