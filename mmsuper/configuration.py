"""Reading configs: one function that every command goes through."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsuper.compat import hosts
from mmsuper.errors import UserError

if TYPE_CHECKING:
    from mmengine.config import Config


def load(path: str | Path, options: dict[str, Any] | None = None) -> Config:
    """Read a config file with its bases, and apply ``--cfg-options``.

    The shims of the libraries that the config names are applied, so that its parts can be
    built afterwards.

    Args:
        path: A text-style config file.
        options: Dotted keys and their values, merged last.

    Raises:
        UserError: If the file does not exist or is no valid config, or if a key is
            misspelt.
    """
    from mmengine.config import Config
    from mmengine.utils import import_modules_from_strings

    if not Path(path).is_file():
        raise UserError(f"no config file at {path}")
    hosts.resolve_config_names()
    try:
        config = Config.fromfile(path, import_custom_modules=False)
        config.merge_from_dict(options or {})
    except UserError:
        raise
    except Exception as error:
        # A config is a program: anything at all can go wrong in it.
        raise UserError(f"{path} cannot be read: {type(error).__name__}: {error}") from error
    hosts.prepare(config)
    if config.get("custom_imports"):
        import_modules_from_strings(**config.custom_imports)
    return config
