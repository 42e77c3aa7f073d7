"""Make ``mmpretrain.models`` importable beside transformers 5.

With transformers 5 and pycocotools installed, onedl-mmpretrain 1.3.6 takes its multi-modal
models to be usable, and importing them fails: BLIP's stand-ins are ``None`` and OFA imports
a name that has moved. None of them is ours; switched off, the rest imports, several seconds
faster. The switch is read when ``mmpretrain.models`` is first imported.
"""

from __future__ import annotations


def apply() -> None:
    """Switch mmpretrain's multi-modal models off, before anything imports its models."""
    from mmpretrain.utils import dependency

    dependency.WITH_MULTIMODAL = False
