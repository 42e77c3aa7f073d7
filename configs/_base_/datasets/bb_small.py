# Bigram-Backcopy with short sequences and small batches, for a CPU core.
_base_ = './bb.py'

train_dataloader = dict(
    num_workers=0, persistent_workers=False, dataset=dict(batch_size=64, seq_length=64))
val_dataloader = dict(dataset=dict(seq_length=64))
test_dataloader = dict(dataset=dict(seq_length=64))
