"""Reading configs: one place that every command goes through."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsuper.compat import hosts
from mmsuper.errors import UserError

if TYPE_CHECKING:
    from mmengine.config import Config


def load(path: str | Path, options: dict[str, Any] | None = None) -> Config:
    """Read a config whose parts will be built.

    The shims of the libraries that the config names are applied, and every key is checked
    against what it is given to, which imports those libraries.

    Args:
        path: A text-style config file.
        options: Dotted keys and their values (``--cfg-options``), merged last.

    Raises:
        UserError: If the file does not exist or is no valid config, if it needs a library
            that is not installed, or if a key is misspelt.
    """
    from mmengine.utils import import_modules_from_strings

    from mmsuper import config_keys

    config = read(path, options)
    hosts.prepare(config)
    if config.get("custom_imports"):
        import_modules_from_strings(**config.custom_imports)
    config_keys.check(config, path)
    return config


def read(path: str | Path, options: dict[str, Any] | None = None) -> Config:
    """Read a config that is only looked at: as :func:`load`, but nothing is imported.

    Keys are checked only at the top level and in ``options``; an option that adds a key to
    a class's dict imports that class.
    """
    from mmengine.config import Config

    from mmsuper import config_keys

    if not Path(path).is_file():
        raise UserError(f"no config file at {path}")
    hosts.resolve_config_names()
    try:
        config = Config.fromfile(path, import_custom_modules=False)
    except UserError:
        raise
    except Exception as error:
        # A config is a program, so anything at all can go wrong in it.
        raise UserError(f"{path} cannot be read: {type(error).__name__}: {error}") from error
    if options:
        config_keys.check_options(config, options)
        config.merge_from_dict(options)
    config_keys.check_top(config.to_dict(), path)
    return config
