# Bigram-Backcopy on Tiny Shakespeare's counts, as the paper's runs have it. An item is a batch,
# so a loader takes one at a time; the set repeats itself after 200,000.
train_dataloader = dict(
    batch_size=1, num_workers=4, persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=False),
    dataset=dict(
        type='mmsuper.BigramBackcopy',
        batch_size=512, seq_length=256, length=200_000, seed=(42, 0)))
# The evaluation batch of the authors' plots.
val_dataloader = dict(
    batch_size=1, num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmsuper.BigramBackcopy', batch_size=512, seq_length=256, length=1, seed=(42, 27)))
test_dataloader = val_dataloader
val_evaluator = dict(type='mmsuper.BackcopyRisk')
test_evaluator = val_evaluator
