# Ten drafts.
_base_ = '../_base_/llm/drafts_llama2.py'

model = dict(decoders=dict(superposed=dict(preset='p15_d10')))
