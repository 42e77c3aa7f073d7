# Ablation: bigrams alone, no triggers.
_base_ = './toy-3l_adamw_bb.py'

change = dict(dataset=dict(kind='markov'))
train_dataloader = change
val_dataloader = change
test_dataloader = change
