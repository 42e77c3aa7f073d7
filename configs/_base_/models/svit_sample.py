# A small SViT for detection and segmentation of the sample data, trained from scratch.
backbone = dict(
    type='mmsuper.SViT',
    embed_dim=(32, 64, 128, 192),
    depths=(1, 2, 3, 1),
    num_heads=(1, 2, 4, 6),
    stoken_size=(8, 4, 1, 1),
    drop_path_rate=0.05,
    out_norm=True)
