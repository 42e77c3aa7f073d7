# The sample texts of two domains, made on first use, with a tokenizer trained on them.
window = 256
data_root = 'data/samples/text'
tokenizer = dict(files=['prose/train.txt', 'code/train.txt'], vocab_size=4096)
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='mmsuper.TextWindows',
        data_root=data_root,
        texts=dict(prose='prose/train.txt', code='code/train.txt'),
        tokenizer=tokenizer,
        window=window))
val_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmsuper.TextWindows',
        data_root=data_root,
        texts=dict(prose='prose/val.txt', code='code/val.txt'),
        tokenizer=tokenizer,
        window=window))
val_evaluator = dict(type='mmsuper.Perplexity')
# Half a window further each time: a token is scored with at least 128 before it.
test_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmsuper.TextWindows',
        data_root=data_root,
        texts=dict(prose='prose/val.txt', code='code/val.txt'),
        tokenizer=tokenizer,
        window=window,
        stride=window // 2))
test_evaluator = val_evaluator
