"""Distributions of this checkout, built from a copy so that the checkout stays clean."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("mmsuper", "projects", "configs", "tools", "demo", "tests")


def build(kind, source, target):
    """Run one of setuptools' ``build_*`` functions in ``source``; return what it made."""
    target.mkdir(parents=True, exist_ok=True)
    code = f"from setuptools import build_meta as b; print(b.build_{kind}({str(target)!r}))"
    made = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=source, capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    return target / made.stdout.splitlines()[-1]


def unpack(wheel, target):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


@pytest.fixture(scope="session")
def checkout(tmp_path_factory):
    copy = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("__pycache__", ".mim", "_build", "output")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, copy / name, ignore=ignored)
    for file in ROOT.iterdir():
        if file.is_file():
            shutil.copy2(file, copy)
    return copy


@pytest.fixture(scope="session")
def sdist(checkout, tmp_path_factory):
    return build("sdist", checkout, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="session")
def wheel(sdist, tmp_path_factory):
    """The wheel as an index would build it: from the source archive, not from the checkout."""
    folder = tmp_path_factory.mktemp("from_sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return build("wheel", source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def installations(checkout, wheel, tmp_path_factory):
    """``{way of installing: (folder for the search path, folder the code lies in)}``."""
    from_wheel = unpack(wheel, tmp_path_factory.mktemp("site_wheel"))
    editable = unpack(
        build("editable", checkout, tmp_path_factory.mktemp("editable")),
        tmp_path_factory.mktemp("site_editable"),
    )
    return {
        "wheel": (from_wheel, from_wheel),
        "editable": (editable, checkout),
        "checkout": (checkout, checkout),
    }


@pytest.fixture(scope="session")
def run_in():
    """Run Python code that sees one folder and the libraries, but not this environment's mmsuper.

    ``-S`` keeps out the editable install of the checkout under test; the libraries come back
    as a plain folder, in which no ``.pth`` file is read.
    """

    def run(site, code, cwd):
        start = (
            f"import site, sys; sys.path.append({sysconfig.get_path('purelib')!r}); "
            f"sys.path.insert(0, {str(site)!r}); site.addsitedir({str(site)!r})\n"
        )
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            [sys.executable, "-S", "-W", "ignore", "-c", start + code],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
        )

    return run
