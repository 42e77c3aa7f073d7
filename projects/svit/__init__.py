"""SViT: a vision transformer with super token sampling (CVPR 2023)."""
