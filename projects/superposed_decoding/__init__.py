"""Superposed Decoding: several drafts of a text from one autoregressive pass (NeurIPS 2024)."""
