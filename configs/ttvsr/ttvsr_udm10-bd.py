# The paper's BD model, trained on Vimeo-90K, measured on UDM10.
_base_ = './ttvsr_vimeo90k-bd.py'
test_dataloader = dict(
    _base_.val_dataloader,
    _delete_=True,
    dataset=dict(_base_.val_dataloader.dataset, data_root='data/UDM10'))
test_evaluator = _base_.val_evaluator
