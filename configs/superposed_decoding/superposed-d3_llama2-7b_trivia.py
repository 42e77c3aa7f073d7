# TriviaQA, the development set of Wikipedia questions.
_base_ = '../_base_/llm/drafts_questions.py'

test_dataloader = dict(dataset=dict(style='trivia', file='triviaqa/wikipedia-dev.json'))
