# Minimal residual peak: as mlp-tf-mlp, both feed-forward networks one matrix; the authors' seed.
_base_ = './toy-mlp-tf-mlp_adamw_bb.py'

model = dict(network=dict(linear_ffn=(0, 2)))
randomness = dict(seed=27)
