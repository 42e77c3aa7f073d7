# The reduced model of the theory.
_base_ = './toy-1l_adamw_bb.py'

model = dict(
    network=dict(_delete_=True, type='mmsuper.ReducedModel', vocab_size=67, triggers=(1, 43, 58)))
optim_wrapper = dict(optimizer=dict(lr=0.03))
