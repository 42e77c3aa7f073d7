"""Reading configs: one function that every command goes through."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mmsuper.errors import UserError

if TYPE_CHECKING:
    from mmengine.config import Config


def load(path: str | Path, options: dict | None = None) -> Config:
    """Read a config file with its bases, and apply ``--cfg-options``.

    Args:
        path: A text-style config file.
        options: Dotted keys and their values, merged last.

    Raises:
        UserError: If the file does not exist or is no valid config.
    """
    from mmengine.config import Config

    if not Path(path).is_file():
        raise UserError(f"no config file at {path}")
    config = Config.fromfile(path)
    config.merge_from_dict(options or {})
    return config
