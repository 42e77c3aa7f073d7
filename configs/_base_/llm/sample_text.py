# The sample texts of two domains, made on first use, with a tokenizer trained on them.
window = 256
windows = dict(
    type='mmsuper.TextWindows',
    data_root='data/samples/text',
    tokenizer=dict(files=['prose/train.txt', 'code/train.txt'], vocab_size=4096),
    window=window)
held_out = dict(windows, texts=dict(prose='prose/val.txt', code='code/val.txt'))
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(windows, texts=dict(prose='prose/train.txt', code='code/train.txt')))
val_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=held_out)
val_evaluator = dict(type='mmsuper.Perplexity')
# Half a window further each time: a token is scored with at least 128 before it.
test_dataloader = dict(val_dataloader, dataset=dict(held_out, stride=window // 2))
test_evaluator = val_evaluator
