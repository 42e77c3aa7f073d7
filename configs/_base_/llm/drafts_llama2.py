# The paper's main measurement: Llama-2-7B on OpenWebText, n-grams of 200,000 documents of
# RedPajama, scored by Llama-2-70B.
_base_ = ['./drafts.py', '../runtime/default.py']
llama = 'meta-llama/Llama-2-7b-hf'
model = dict(pretrained=llama, dtype='float16', ngrams='data/ngrams/redpajama')
test_dataloader = dict(
    dataset=dict(
        data_root='data/openwebtext', files=['test.jsonl'], tokenizer=llama, count=5000))
scorer = dict(scorer='meta-llama/Llama-2-70b-hf', dtype='float16', device_map='auto')
test_evaluator = [
    dict(type='mmsuper.DraftPerplexity', **scorer),
    dict(type='mmsuper.DraftVariety'),
    dict(type='mmsuper.DraftLatency'),
]
