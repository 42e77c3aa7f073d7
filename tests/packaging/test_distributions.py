"""What the source archive and the wheel hold, and that every way of installing works."""

import tarfile
import zipfile
from collections import Counter
from email.parser import Parser
from pathlib import Path, PurePosixPath

import pytest

from mmsuper.cli import VERBS

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = sorted(path.parent.name for path in (ROOT / "projects").glob("*/__init__.py"))
WAYS = ("wheel", "editable", "checkout")


def files_below(folder):
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and "output" not in path.parts
    }


@pytest.fixture(scope="module")
def wheel_names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_sdist_holds_all_that_the_wheel_is_built_from(sdist):
    with tarfile.open(sdist) as archive:
        names = {PurePosixPath(*PurePosixPath(name).parts[1:]) for name in archive.getnames()}
    wanted = files_below("projects") | files_below("configs") | files_below("tools")
    wanted |= files_below("demo") | {"LICENSE", "NOTICE", "model-index.yml", "dataset-index.yml"}
    assert wanted <= {str(name) for name in names}
    assert not [name for name in names if ".mim" in name.parts or ".venv" in name.parts]


def test_wheel_holds_every_module_and_project(wheel_names):
    modules = {name for name in files_below("mmsuper") if name.endswith(".py")}
    modules |= {f"mmsuper/{name}" for name in files_below("projects") if name.endswith(".py")}
    assert modules <= set(wheel_names)
    assert "mmsuper/py.typed" in wheel_names


def test_wheel_holds_the_payload_of_mim(wheel_names):
    wanted = files_below("configs") | files_below("tools") | files_below("demo")
    wanted |= {"model-index.yml", "dataset-index.yml"}
    assert {f"mmsuper/.mim/{name}" for name in wanted} <= set(wheel_names)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_tool(verb):
    """Mim runs scripts and knows no verbs."""
    assert f'main(["{verb}", *' in (ROOT / "tools" / f"{verb}.py").read_text()


def test_wheel_holds_nothing_else(wheel_names):
    tops = {PurePosixPath(name).parts[0] for name in wheel_names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"mmsuper"}
    assert not [name for name in wheel_names if name.endswith(".pyc")]


def test_wheel_is_found_by_both_mims(wheel, wheel_names):
    """onedl-mim takes the first file of RECORD as the package: no script may come before it."""
    with zipfile.ZipFile(wheel) as archive:
        (record,) = [name for name in wheel_names if name.endswith("/RECORD")]
        first = min(archive.read(record).decode().splitlines())
        (metadata,) = [name for name in wheel_names if name.endswith("/METADATA")]
        header = Parser().parsestr(archive.read(metadata).decode())
    assert first.startswith("mmsuper/")
    assert header["Name"] == "mmsuper-lab"
    assert not [name for name in wheel_names if name.endswith("entry_points.txt")]


def test_config_names_are_unique(wheel_names):
    """mim looks for a config by its name in the whole package and stops on two hits."""
    names = Counter(PurePosixPath(name).name for name in wheel_names if name.endswith(".py"))
    configs = [
        PurePosixPath(name).name for name in wheel_names if name.startswith("mmsuper/.mim/configs/")
    ]
    assert [name for name in configs if names[name] > 1] == []


@pytest.mark.parametrize("way", WAYS)
def test_every_project_imports(way, installations, run_in, tmp_path):
    site, code = installations[way]
    result = run_in(site, IMPORT_PROJECTS, tmp_path)
    assert result.returncode == 0, result.stderr
    origins = dict(line.split("=") for line in result.stdout.splitlines())
    assert sorted(origins) == [f"mmsuper.projects.{name}" for name in PROJECTS]
    assert all(origin.startswith(str(code)) for origin in origins.values()), origins


IMPORT_PROJECTS = f"""
import importlib, pkgutil
for name in {PROJECTS!r}:
    package = importlib.import_module("mmsuper.projects." + name)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
    print(package.__name__, package.__file__, sep="=")
"""


@pytest.mark.parametrize("way", WAYS)
def test_payload_is_found(way, installations, run_in, tmp_path):
    site, code = installations[way]
    result = run_in(site, "from mmsuper.paths import payload_root; print(payload_root())", tmp_path)
    assert result.returncode == 0, result.stderr
    root = Path(result.stdout.strip())
    assert root == (code / "mmsuper" / ".mim" if way == "wheel" else code)
    assert (root / "model-index.yml").is_file()


def test_editable_payload_is_relative_links(installations):
    payload = installations["editable"][1] / "mmsuper" / ".mim"
    links = {path.name: path.readlink() for path in payload.iterdir()}
    assert links["configs"] == Path("../../configs")
    assert all(not link.is_absolute() for link in links.values())
    assert (payload / "model-index.yml").is_file()
