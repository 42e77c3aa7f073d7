"""What a program may ask of mmsuper without touching a config."""

from mmsuper.apis.models import ModelInfo, find_model, list_models

__all__ = ["ModelInfo", "find_model", "list_models"]
