# PyTorch's DistributedDataParallel: every process holds the whole model.
# torchrun --nproc_per_node=N -m mmsuper train CONFIG
_base_ = './default.py'

model_wrapper_cfg = dict(
    type='MMDistributedDataParallel', broadcast_buffers=False, find_unused_parameters=False)
