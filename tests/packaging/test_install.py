"""The lock describes this environment, and the installer says what is wrong in one line."""

import importlib.metadata
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "requirements" / "install.py"
# Declared by packages of the lock and deliberately not installed: opencv-python would
# overwrite opencv-python-headless, and the rest serves parts of mmagic that we never import.
LEFT_OUT = {
    "opencv-python",
    "controlnet-aux",
    "face-alignment",
    "facexlib",
    "mediapipe",
    "pandas",
}


@pytest.fixture(scope="module")
def installer():
    spec = importlib.util.spec_from_file_location("mmsuper_requirements_install", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pins(installer):
    return {**installer.read_pins(installer.PINNED), **installer.read_pins(installer.MMCV)}


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_pin_is_exact_and_installed(pins):
    for pin in pins.values():
        name, version = pin.split("==")
        assert importlib.metadata.version(name) == version


def test_the_lock_is_complete(pins):
    """Every dependency that a pinned package declares is pinned, at a version it accepts."""
    versions = {canonical(name): pin.split("==")[1] for name, pin in pins.items()}
    missing = []
    for name in versions:
        for line in importlib.metadata.requires(name) or []:
            needed = Requirement(line)
            if needed.marker is not None and not needed.marker.evaluate({"extra": ""}):
                continue
            wanted = canonical(needed.name)
            if wanted in LEFT_OUT:
                continue
            if wanted not in versions or not needed.specifier.contains(versions[wanted]):
                missing.append(f"{name} needs {line}")
    assert missing == []


def test_extras_are_met_by_the_lock(pins):
    """What pyproject.toml asks of users is at most what is tested here."""
    versions = {canonical(name): pin.split("==")[1] for name, pin in pins.items()}
    for line in importlib.metadata.requires("mmsuper-lab"):
        needed = Requirement(line)
        version = versions.get(canonical(needed.name))
        assert version is None or needed.specifier.contains(version), line
        assert not {"<", "<=", "=="} & {part.operator for part in needed.specifier}, line


def test_torch_brings_all_its_own_wheels(installer, pins):
    names = {pin.split("==")[0] for pin in installer.torch_closure(pins)}
    declared = [Requirement(line) for line in importlib.metadata.requires("torch")]
    linux = [one.name for one in declared if one.marker and "platform_system" in str(one.marker)]
    assert {"torch", "torchvision", *linux} <= names
    assert len(linux) > 3


def test_an_up_to_date_environment_is_left_alone(installer, tmp_path, capsys):
    (tmp_path / "mmsuper-install.sha256").write_text(installer.fingerprint())
    installer.install(tmp_path)
    assert capsys.readouterr().out == f"{tmp_path} is up to date\n"
    assert [path.name for path in tmp_path.iterdir()] == ["mmsuper-install.sha256"]


def test_a_failure_is_one_line_and_is_not_stamped(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    result = subprocess.run(
        [sys.executable, str(SCRIPT), "--venv", str(blocked / "venv")],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("install: ") and "Not a directory" in line


def test_a_failing_step_names_itself_and_its_reason(installer, tmp_path, capsys):
    command = [sys.executable, "-c", "raise ValueError('the reason')"]
    with pytest.raises(installer.InstallError, match="'torch' failed: ValueError: the reason"):
        installer.step("torch", command, tmp_path / "log")
    assert re.fullmatch(r"  torch \.\.\. \d+ s \(failed\)\n", capsys.readouterr().out)


def test_an_unusable_cached_mmcv_is_forgotten_and_built_again(installer, monkeypatch, tmp_path):
    """The operators fail with the cached wheel: pip's copy goes and a forced build follows."""
    commands = []

    class Result:
        stdout = ""

        def __init__(self, code):
            self.returncode = code

    def run(command, **_):
        commands.append(command)
        return Result(1 if command[-1] == installer.OPERATOR_CHECK else 0)

    builds = []
    monkeypatch.setattr(installer, "cached_wheels", lambda python: ["wheel"])
    monkeypatch.setattr(installer.subprocess, "run", run)
    monkeypatch.setattr(installer, "build", lambda _, *how: builds.append(how))
    monkeypatch.setattr(installer, "step", lambda *_: None)
    installer.install_mmcv("python", ["pip"], tmp_path / "log")
    assert [(command, cached) for command, _, cached in builds] == [
        (["pip"], True),
        (["pip", "--force-reinstall"], False),
    ]
    assert ["python", "-m", "pip", "cache", "remove", "onedl_mmcv"] in commands


def test_a_header_is_precompiled_only_by_gcc(installer, monkeypatch, tmp_path):
    monkeypatch.setattr(installer, "is_gcc", lambda compiler: False)
    assert installer.precompile("python", tmp_path, {}, tmp_path / "log") == ""
    assert list(tmp_path.iterdir()) == []


def test_a_missing_compiler_is_named(installer):
    with pytest.raises(installer.InstallError, match="no C\\+\\+ compiler 'no-such-compiler'"):
        installer.is_gcc("no-such-compiler")
