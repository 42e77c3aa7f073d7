# Question answering without examples and without n-grams: the first drafts that are right.
_base_ = ['./drafts.py', '../runtime/default.py']
llama = 'meta-llama/Llama-2-7b-hf'
model = dict(
    pretrained=llama,
    dtype='float16',
    decoders=dict(superposed=dict(preset='greedy'), beam=dict(num_beams=3, do_sample=False)))
test_dataloader = dict(
    dataset=dict(_delete_=True, type='mmsuper.Questions', data_root='data', tokenizer=llama))
test_evaluator = [dict(type='mmsuper.DraftExactMatch'), dict(type='mmsuper.DraftLatency')]
