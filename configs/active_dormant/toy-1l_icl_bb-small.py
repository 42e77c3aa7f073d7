# Ablation: each trigger has an output of its own in every sequence.
_base_ = './toy-1l_adamw_bb-small.py'

change = dict(dataset=dict(kind='default'))
train_dataloader = change
val_dataloader = change
test_dataloader = change
