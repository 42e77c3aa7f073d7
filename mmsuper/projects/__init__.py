"""The papers, as ``mmsuper.projects.<paper>``.

Installed from a wheel, the projects are ordinary sub-packages of this one. In a checkout
they live in the repository's ``projects/`` folder, which is appended to the search path
here. The marker file keeps a foreign ``projects`` folder beside an installed ``mmsuper``
from being taken for ours.
"""

from pathlib import Path

_checkout = Path(__file__).resolve().parents[2] / "projects"
if (_checkout / ".mmsuper-projects").is_file():
    __path__.append(str(_checkout))
