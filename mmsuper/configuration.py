"""Reading configs: one place that every command goes through."""

from __future__ import annotations

import contextlib
import difflib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmsuper.compat import hosts
from mmsuper.errors import UserError
from mmsuper.paths import payload_root

if TYPE_CHECKING:
    from mmengine.config import Config


def load(path: str | Path, options: dict[str, Any] | None = None) -> Config:
    """Read a config whose parts will be built.

    The shims of the libraries that the config names are applied, and every key is checked
    against what it is given to, which imports those libraries.

    Args:
        path: A text-style config file, or the name of one that a library ships, such as
            ``mmdet::retinanet/retinanet_r50_fpn_1x_coco.py``.
        options: Dotted keys and their values (``--cfg-options``), merged last.

    Raises:
        UserError: If the file does not exist or is no valid config, if it needs a library
            that is not installed, or if a key is misspelt.
    """
    from mmengine.utils import import_modules_from_strings

    from mmsuper import config_keys

    path = locate(path)
    config = read(path, options)
    # Some libraries print while they are imported; standard output is for results.
    with contextlib.redirect_stdout(sys.stderr):
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

    path = locate(path)
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


def locate(name: str | Path) -> Path:
    """The file that a config's path or name means.

    Args:
        name: A path, or ``library::path`` for a config that a library ships.

    Raises:
        UserError: If there is no such file; it names the nearest of ours.
    """
    from mmengine.config import Config

    hosts.resolve_config_names()
    if Path(name).is_file():
        return Path(name)
    if "::" in str(name):
        try:
            return Path(Config._get_cfg_path(str(name), "")[0])
        except (AssertionError, ImportError, OSError, ValueError) as error:
            raise UserError(f"no config is called {name}: {error}") from error
    ours = {path.stem: path for path in sorted((payload_root() / "configs").glob("[!_]*/*.py"))}
    near = difflib.get_close_matches(Path(name).stem, ours, 1, 0.5)
    hint = f"; did you mean {ours[near[0]]}?" if near else ""
    raise UserError(f"no config file at {name}{hint}")
