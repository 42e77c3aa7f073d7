# The paper's BD model, trained on Vimeo-90K, measured on Vid4.
_base_ = './ttvsr_vimeo90k-bd.py'
test_dataloader = dict(_base_.val_dataloader, _delete_=True)
test_evaluator = _base_.val_evaluator
