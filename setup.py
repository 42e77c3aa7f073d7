"""What pyproject.toml cannot say: the import path of the projects and mim's payload."""

import os
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
# mim and `mmsuper.paths` look for these in `mmsuper/.mim` of an installed package.
PAYLOAD = ("configs", "tools", "demo", "model-index.yml", "dataset-index.yml")
IGNORED = shutil.ignore_patterns("__pycache__", "output")


class BuildPy(build_py):
    """Adds the payload: copies in a wheel, links to the checkout in an editable install."""

    def run(self) -> None:
        """Build as usual, then add the payload."""
        super().run()
        if self.editable_mode:
            link_payload(ROOT / "mmsuper" / ".mim")
        else:
            copy_payload(Path(self.build_lib) / "mmsuper" / ".mim")


def copy_payload(target: Path) -> None:
    """Copy the payload into a build folder, replacing what an earlier build left."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in PAYLOAD:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=IGNORED)
        else:
            shutil.copy2(source, target / name)


def link_payload(target: Path) -> None:
    """Link the payload relatively, so that a checkout can be moved."""
    target.mkdir(exist_ok=True)
    for name in PAYLOAD:
        link = target / name
        link.unlink(missing_ok=True)
        link.symlink_to(os.path.relpath(ROOT / name, target))


# `mmsuper.projects.<paper>` is the folder `projects/<paper>`.
projects = {f"mmsuper.projects.{name}": name for name in find_packages("projects")}
setup(
    packages=[*find_packages(include=["mmsuper", "mmsuper.*"]), *projects],
    package_dir={
        package: f"projects/{name.replace('.', '/')}" for package, name in projects.items()
    },
    cmdclass={"build_py": BuildPy},
)
