# SViT-L, for `model = dict(backbone=_base_.backbone)`: MMEngine merges no two bases that both
# have a `model`. Cells are the class's default; for large pictures (16, 8, 1, 1).
backbone = dict(
    type='mmsuper.SViT',
    embed_dim=(96, 192, 448, 640),
    depths=(4, 7, 19, 8),
    num_heads=(2, 3, 7, 10),
    layerscale=(False, False, True, True),
    init_values=1e-6,
    drop_path_rate=0.6)
