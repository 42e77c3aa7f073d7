# SViT-S, for `model = dict(backbone=_base_.backbone)`: MMEngine merges no two bases that both
# have a `model`. Cells are the class's default; for large pictures (16, 8, 1, 1).
backbone = dict(
    type='mmsuper.SViT',
    embed_dim=(64, 128, 320, 512),
    depths=(3, 5, 9, 3),
    num_heads=(1, 2, 5, 8),
    drop_path_rate=0.1)
