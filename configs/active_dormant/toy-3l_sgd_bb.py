# SGD keeps the sink and has no residual peak.
_base_ = './toy-3l_adamw_bb.py'

optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='SGD', lr=0.03, momentum=0.9, weight_decay=1e-4))
