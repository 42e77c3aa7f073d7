# Five new tokens.
_base_ = '../_base_/llm/drafts_llama2.py'

model = dict(decoders=dict(superposed=dict(preset='g5')))
test_dataloader = dict(dataset=dict(beyond=5))
