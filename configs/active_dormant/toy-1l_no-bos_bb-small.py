# Ablation: no <s>; the newline becomes the sink.
_base_ = './toy-1l_adamw_bb-small.py'

model = dict(network=dict(vocab_size=66))
change = dict(dataset=dict(bos_num=0))
train_dataloader = change
val_dataloader = change
test_dataloader = change
