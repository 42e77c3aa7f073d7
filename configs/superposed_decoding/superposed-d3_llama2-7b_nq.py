# Natural Questions with short answers, the validation set.
_base_ = '../_base_/llm/drafts_questions.py'

test_dataloader = dict(dataset=dict(style='nq', file='nq_open/validation.jsonl'))
