"""DLGSANet: light-weight super-resolution by dynamic local and global self-attention."""
