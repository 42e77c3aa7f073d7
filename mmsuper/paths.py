"""Where the files that are no Python modules lie: configs, tools, index files, demo."""

from __future__ import annotations

import functools
from pathlib import Path

from mmsuper.errors import UserError


@functools.cache
def payload_root() -> Path:
    """Folder that holds ``configs/``, ``tools/``, ``demo/`` and ``model-index.yml``.

    In a checkout (also one installed in editable mode) it is the repository's root; in an
    environment made from a wheel it is ``mmsuper/.mim``.

    Raises:
        UserError: If neither is there, which a copy of the bare package would lack.
    """
    package = Path(__file__).resolve().parent
    if (package.parent / "projects" / ".mmsuper-projects").is_file():
        return package.parent
    if (package / ".mim").is_dir():
        return package / ".mim"
    raise UserError(
        f"no configs beside {package}; install mmsuper-lab with pip or use a whole checkout"
    )
