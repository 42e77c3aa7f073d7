"""What the flags of ``train`` and ``test`` change in a config."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mmsuper.errors import UserError


def parse(words: Iterable[str]) -> dict[str, Any]:
    """``KEY=VALUE`` words of ``--cfg-options`` as a dict; values as MMEngine reads them.

    Raises:
        UserError: If a word has no ``=``.
    """
    from mmengine.config import DictAction

    found = {}
    for word in words:
        key, separator, value = word.partition("=")
        if not key or not separator:
            raise UserError(f"--cfg-options takes KEY=VALUE, not {word!r}")
        found[key] = DictAction._parse_iterable(value)
    return found
