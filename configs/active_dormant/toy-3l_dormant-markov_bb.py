# Ablation: after a trigger, what follows the token before it.
_base_ = './toy-3l_adamw_bb.py'

change = dict(dataset=dict(kind='dormant_markov'))
train_dataloader = change
val_dataloader = change
test_dataloader = change
