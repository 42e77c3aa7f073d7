# Minimal residual peak: as mlp-tf-mlp, the first feed-forward network one matrix.
_base_ = './toy-mlp-tf-mlp_adamw_bb.py'

model = dict(network=dict(linear_ffn=(0,)))
