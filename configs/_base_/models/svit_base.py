# SViT-B, for `model = dict(backbone=_base_.backbone)`: MMEngine merges no two bases that both
# have a `model`. Cells are the class's default; for large pictures (16, 8, 1, 1).
backbone = dict(
    type='mmsuper.SViT',
    embed_dim=(96, 192, 384, 512),
    depths=(4, 6, 14, 6),
    num_heads=(2, 3, 6, 8),
    layerscale=(False, False, True, True),
    init_values=1e-6,
    drop_path_rate=0.4)
