# PyTorch's FullyShardedDataParallel: parameters, gradients and optimiser state are split
# over the processes; checkpoints are whole, written by the first process.
# torchrun --nproc_per_node=N -m mmsuper train CONFIG
_base_ = './default.py'

runner_type = 'FlexibleRunner'
strategy = dict(
    type='FSDPStrategy',
    model_wrapper=dict(type='MMFullyShardedDataParallel', use_orig_params=True),
    state_dict_cfg='full')
