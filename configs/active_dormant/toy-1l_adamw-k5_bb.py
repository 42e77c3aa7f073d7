# Five triggers.
_base_ = './toy-1l_adamw_bb.py'

change = dict(dataset=dict(k=5))
train_dataloader = change
val_dataloader = change
test_dataloader = change
