compile = False
custom_hooks = [
    dict(dtype='bfloat16', type='mmsuper.SaveFolderHook'),
    dict(type='mmsuper.IterationSeedHook'),
    dict(type='mmsuper.PlainCheckpointHook'),
    dict(type='mmsuper.LossSyncHook'),
    dict(type='mmsuper.MetricsHook'),
    dict(type='mmsuper.ProgressHook'),
]
data_root = 'data/samples/text'
default_hooks = dict(
    checkpoint=dict(
        by_epoch=False,
        interval=400,
        max_keep_ckpts=3,
        type='mmsuper.CheckpointHook'),
    logger=dict(interval=50, log_metric_by_epoch=False, type='LoggerHook'),
    param_scheduler=dict(type='ParamSchedulerHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    timer=dict(type='IterTimerHook'))
default_scope = 'mmengine'
env_cfg = dict(
    cudnn_benchmark=False,
    dist_cfg=dict(backend='nccl'),
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=1))
experiment_name = 'llama-tiny_sample-0'
launcher = 'none'
load_from = 'work_dirs/llama-tiny_sample/iter_800.pth'
log_level = 'INFO'
log_processor = dict(by_epoch=False, type='LogProcessor', window_size=50)
max_iters = 1600
model = dict(
    config=dict(
        bos_token_id=0,
        eos_token_id=0,
        hidden_size=128,
        intermediate_size=384,
        max_position_embeddings=256,
        model_type='llama',
        num_attention_heads=4,
        num_hidden_layers=6,
        num_key_value_heads=4,
        pad_token_id=0,
        tie_word_embeddings=True,
        vocab_size=4096),
    type='mmsuper.CausalLM')
optim_wrapper = dict(
    clip_grad=dict(max_norm=1.0),
    optimizer=dict(
        betas=(
            0.9,
            0.95,
        ), lr=0.002, type='AdamW', weight_decay=0.1),
    type='OptimWrapper')
param_scheduler = [
    dict(begin=0, by_epoch=False, end=100, start_factor=0.01, type='LinearLR'),
    dict(
        begin=100,
        by_epoch=False,
        end=1600,
        eta_min=0.0001,
        type='CosineAnnealingLR'),
]
randomness = dict(deterministic=False, seed=0)
resume = True
test_cfg = dict(type='TestLoop')
test_dataloader = dict(
    batch_size=4,
    dataset=dict(
        data_root='data/samples/text',
        stride=128,
        texts=dict(code='code/val.txt', prose='prose/val.txt'),
        tokenizer=dict(
            files=[
                'prose/train.txt',
                'code/train.txt',
            ], vocab_size=4096),
        type='mmsuper.TextWindows',
        window=256),
    num_workers=0,
    sampler=dict(shuffle=False, type='DefaultSampler'))
test_evaluator = dict(type='mmsuper.Perplexity')
tokenizer = dict(
    files=[
        'prose/train.txt',
        'code/train.txt',
    ], vocab_size=4096)
train_cfg = dict(max_iters=1600, type='IterBasedTrainLoop', val_interval=1600)
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        data_root='data/samples/text',
        texts=dict(code='code/train.txt', prose='prose/train.txt'),
        tokenizer=dict(
            files=[
                'prose/train.txt',
                'code/train.txt',
            ], vocab_size=4096),
        type='mmsuper.TextWindows',
        window=256),
    num_workers=0,
    sampler=dict(shuffle=True, type='InfiniteSampler'))
val_cfg = dict(type='ValLoop')
val_dataloader = dict(
    batch_size=4,
    dataset=dict(
        data_root='data/samples/text',
        texts=dict(code='code/val.txt', prose='prose/val.txt'),
        tokenizer=dict(
            files=[
                'prose/train.txt',
                'code/train.txt',
            ], vocab_size=4096),
        type='mmsuper.TextWindows',
        window=256),
    num_workers=0,
    sampler=dict(shuffle=False, type='DefaultSampler'))
val_evaluator = dict(type='mmsuper.Perplexity')
val_loss = False
visualizer = dict(
    type='Visualizer',
    vis_backends=[
        dict(type='LocalVisBackend'),
        dict(type='TensorboardVisBackend'),
    ])
vocab_size = 4096
window = 256
work_dir = 'work_dirs/llama-tiny_sample'
