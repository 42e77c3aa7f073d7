"""Active-dormant attention heads: sinks, value drains and residual peaks of transformers."""
