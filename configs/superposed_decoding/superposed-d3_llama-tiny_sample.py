# Something to run: the small model and texts of this repository, three drafts of each decoder.
_base_ = ['../_base_/llm/drafts.py', '../_base_/runtime/default.py']

llama = 'demo/weights/tiny-llama'
model = dict(
    pretrained=llama,
    dtype='float32',
    ngrams='data/ngrams/sample',
    decoders=dict(
        network_only=dict(preset='p15_d3', smoothing=None),
        ngrams_only=dict(preset='p15_d3', smoothing='all'),
        nucleus=dict(num_return_sequences=3),
        beam=dict(num_beams=3, num_return_sequences=3, do_sample=False)))
test_dataloader = dict(
    dataset=dict(
        data_root='data/samples/text', files=['prose/val.txt'], tokenizer=llama, count=200))
test_evaluator = [
    dict(type='mmsuper.DraftPerplexity', scorer=llama, dtype='float32'),
    dict(type='mmsuper.DraftVariety'),
    dict(type='mmsuper.DraftLatency'),
]
