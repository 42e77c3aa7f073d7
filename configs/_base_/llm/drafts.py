# Superposed drafts next to those of other decoders, of beginnings of texts.
default_scope = 'mmengine'
model = dict(
    type='mmsuper.DraftComparison',
    decoders=dict(
        superposed=dict(preset='p15_d3'),
        nucleus=dict(do_sample=True, top_p=0.9, temperature=0.6, top_k=0),
        greedy=dict(do_sample=False)))
test_cfg = dict(type='TestLoop')
test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='mmsuper.TextPrompts', prefix=15, beyond=10))
test_evaluator = [
    dict(type='mmsuper.DraftPerplexity'),
    dict(type='mmsuper.DraftVariety'),
    dict(type='mmsuper.DraftLatency'),
]
