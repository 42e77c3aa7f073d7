"""TTVSR: video super-resolution by a transformer that looks along trajectories (CVPR 2022)."""
