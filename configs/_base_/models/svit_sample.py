# A SViT of 0.7 million parameters for the sample data: cells for maps of 8x8 tokens.
model = dict(
    backbone=dict(
        type='mmsuper.SViT',
        embed_dim=(32, 64, 96, 128),
        depths=(1, 1, 2, 1),
        num_heads=(1, 2, 3, 4),
        stoken_size=(4, 2, 1, 1),
        drop_path_rate=0.05))
