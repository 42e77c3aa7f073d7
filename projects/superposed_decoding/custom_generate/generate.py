"""Superposed Decoding under the name that ``transformers`` looks for in a folder."""

from typing import Any

from transformers import PreTrainedModel

from mmsuper.projects.superposed_decoding.generate import custom_generate


def generate(model: PreTrainedModel, **arguments: Any) -> Any:
    """``model.generate`` with superposed drafts; see :func:`custom_generate`.

    Args:
        model: A causal language model.
        arguments: Those of ``generate``, and ``drafts``, ``ngram`` and ``settings``.
    """
    return model.generate(**arguments, custom_generate=custom_generate)
