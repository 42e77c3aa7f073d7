# Minimal residual peak: attention alone, a layer, feed-forward alone.
_base_ = './toy-3l_adamw_bb-small.py'

model = dict(network=dict(no_ffn=(0,), no_attn=(2,)))
