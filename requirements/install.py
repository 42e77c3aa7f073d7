"""Install the tested environment into ``.venv``: ``python3 requirements/install.py``.

Standard library only, so it runs on a machine that has nothing but Python and a C++
compiler. It is safe to run again: a stamp in the environment holds the hash of everything
that decides its content, and when the stamp matches nothing is done.

Three things here are not what a plain ``pip install -r`` would do, each for a reason:

* ``pinned.txt`` is a complete lock and is installed with ``--no-deps``. mmagic declares
  packages that conflict with current ones and that we never import, and opencv's two
  distributions overwrite each other's files.
* mmcv is compiled here against the torch that was just installed. Built in isolation it
  would see no torch, produce no operators, and say nothing.
* The compiler gets torch's headers precompiled. Parsing them takes three quarters of the
  time of nearly every one of mmcv's 78 files.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINNED = ROOT / "requirements" / "pinned.txt"
MMCV = ROOT / "requirements" / "mmcv.txt"
# Of Python 3.11.4; older ones were not tried.
PIP = "pip>=23.1.2"
# What mmcv's build and the source archives of the other libraries need.
BUILD_TOOLS = ("setuptools", "wheel", "packaging", "ninja", "psutil", "numpy")
SUPPORTED = ((3, 11), (3, 13))

# The one header of torch that (nearly) every file of mmcv includes, and includes first.
HEADER = "#include <torch/types.h>\n#include <vector>\n"
# setuptools takes CFLAGS in place of the interpreter's own flags, so these are all of them.
# No debug information, which no one reads. -O1 rather than the usual -O3, as measured: the
# deformable convolutions and RoIAlign run as fast with it, and NMS four times as fast.
CFLAGS = "-g0 -O1 -DNDEBUG -Winvalid-pch"
# What torch adds to them for an extension.
EXTENSION_FLAGS = "-std=c++17 -DTORCH_API_INCLUDE_EXTENSION_H -DTORCH_EXTENSION_NAME=_ext"
COMPILER_PROBE = """
import setuptools, shlex, sysconfig, torch.utils.cpp_extension
from distutils.ccompiler import new_compiler
from distutils.sysconfig import customize_compiler
compiler = new_compiler()
customize_compiler(compiler)
folders = [*torch.utils.cpp_extension.include_paths(), sysconfig.get_paths()["include"]]
print(shlex.join([*compiler.compiler_so[1:], *("-I" + folder for folder in folders)]))
"""
OPERATOR_CHECK = "import torch, mmcv.ops as ops; b = torch.rand(4, 4); ops.nms(b, b[:, 0], 0.5)"


class InstallError(Exception):
    """One sentence for the user."""


def main() -> int:
    """Install, and turn an error into one line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", help="where to install")
    arguments = parser.parse_args()
    try:
        install(arguments.venv.absolute())
    except (InstallError, OSError) as error:
        print(f"install: {error}", file=sys.stderr)
        return 1
    return 0


def install(venv: Path) -> None:
    """Bring ``venv`` to the state that the files of this folder describe."""
    if not SUPPORTED[0] <= sys.version_info[:2] < SUPPORTED[1]:
        raise InstallError(
            f"the tested set needs Python 3.11 or 3.12, this is {platform.python_version()}; "
            "run make with PYTHON=python3.11."
        )
    stamp = venv / "mmsuper-install.sha256"
    wanted = fingerprint()
    if stamp.is_file() and stamp.read_text() == wanted:
        print(f"{venv} is up to date")
        return
    log = Path(tempfile.gettempdir()) / f"mmsuper-install-{os.getpid()}.log"
    print(f"installing into {venv} (details in {log})", flush=True)
    start = time.perf_counter()
    stamp.unlink(missing_ok=True)
    install_everything(venv, log)
    stamp.write_text(wanted)
    print(f"installed in {time.perf_counter() - start:.0f} s")


def install_everything(venv: Path, log: Path) -> None:
    """Run the steps; each prints one line."""
    python = str(venv / "bin" / "python")
    if not Path(python).exists():
        step("environment", [sys.executable, "-m", "venv", str(venv)], log)
    # Compiling all 22,000 modules takes over a minute; Python compiles what it imports itself.
    quiet = ["--no-input", "--disable-pip-version-check", "--no-compile"]
    pip = [python, "-m", "pip", "install", *quiet]
    pins = read_pins(PINNED)
    step("build tools", [*pip, PIP, *(pins[name] for name in BUILD_TOOLS)], log)
    step("torch", [*pip, "--no-deps", *torch_closure(pins)], log)
    pip += ["--no-deps", "--no-build-isolation"]
    step("libraries", [*pip, "-r", str(PINNED)], log)
    install_mmcv(python, [*pip, "-r", str(MMCV)], log)
    step("mmsuper", [*pip, "-e", str(ROOT)], log)


def install_mmcv(python: str, command: list[str], log: Path) -> None:
    """Install mmcv, from pip's cache of built wheels if one there works with this torch."""
    check = [python, "-c", OPERATOR_CHECK]
    cached = bool(cached_wheels(python))
    build(python, command, log, cached)
    if cached and subprocess.run(check, capture_output=True).returncode:
        print("  the cached mmcv was built for another torch", flush=True)
        subprocess.run([python, "-m", "pip", "cache", "remove", "onedl_mmcv"], capture_output=True)
        build(python, [*command, "--force-reinstall"], log, False)
    step("mmcv's operators run", check, log)


def cached_wheels(python: str) -> list[str]:
    """Wheels of mmcv for this interpreter that pip has built earlier on this machine."""
    listing = subprocess.run(
        [python, "-m", "pip", "cache", "list", "onedl_mmcv", "--format", "abspath"],
        capture_output=True,
        text=True,
    )
    tag = f"-cp{sys.version_info.major}{sys.version_info.minor}-"
    return [line for line in listing.stdout.splitlines() if tag in line]


def build(python: str, command: list[str], log: Path, cached: bool) -> None:
    """Run pip on mmcv with what its build wants in the environment."""
    with tempfile.TemporaryDirectory() as folder:
        environment = build_environment(python)
        if not cached:
            environment["CFLAGS"] += precompile(python, Path(folder), environment, log)
        step("mmcv" if cached else "mmcv, compiled", command, log, environment)


def build_environment(python: str) -> dict[str, str]:
    """Operators on, our flags, and no CUDA operators where there is no CUDA compiler."""
    environment = dict(os.environ)
    environment["PATH"] = f"{Path(python).parent}{os.pathsep}{environment['PATH']}"
    environment["MMCV_WITH_OPS"] = "1"
    environment.setdefault("MAX_JOBS", str(len(os.sched_getaffinity(0))))
    environment.setdefault("CFLAGS", CFLAGS)
    if not shutil.which("nvcc"):
        environment["CUDA_VISIBLE_DEVICES"] = ""
    return environment


def precompile(python: str, folder: Path, environment: dict[str, str], log: Path) -> str:
    """Compile torch's headers once; return the flag that includes them, or nothing.

    GCC uses a precompiled header only if it was made with the flags of the file that
    includes it and reads the plain header otherwise, so a mismatch costs time and never
    correctness; the log then says "not used because". Without GCC, or where it cannot be
    made, mmcv builds slowly.
    """
    compiler = environment.get("CXX", "c++")
    if not is_gcc(compiler):
        return ""
    header = folder / "torch_types.h"
    header.write_text(HEADER)
    probe = subprocess.run(
        [python, "-W", "ignore", "-c", COMPILER_PROBE],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    flags = [*shlex.split(probe.stdout), *EXTENSION_FLAGS.split()]
    command = [compiler, *flags, "-x", "c++-header", str(header), "-o", f"{header}.gch"]
    made = attempt("torch's headers, precompiled to save time", command, log)
    return f" -include {header}" if made else ""


def is_gcc(compiler: str) -> bool:
    """Whether ``compiler`` is GCC, whose way of precompiling headers is used here."""
    if not shutil.which(compiler):
        raise InstallError(f"there is no C++ compiler {compiler!r}; install g++.")
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True)
    return "Free Software Foundation" in version.stdout


def fingerprint() -> str:
    """Hash of the place, the interpreter and the files that decide the environment."""
    digest = hashlib.sha256(f"{ROOT} {platform.python_version()} {platform.machine()}".encode())
    for path in (PINNED, MMCV, Path(__file__), ROOT / "setup.py", ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def read_pins(path: Path) -> dict[str, str]:
    """``{name: "name==version"}`` of a lock file."""
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return {line.split("==")[0].lower(): line for line in lines if line}


def torch_closure(pins: dict[str, str]) -> list[str]:
    """The pins of torch, torchvision and the CUDA packages of their wheels."""
    prefixes = ("torch", "nvidia-", "cuda-", "triton")
    return [pin for name, pin in pins.items() if name.startswith(prefixes)]


def step(
    name: str, command: list[str], log: Path, environment: dict[str, str] | None = None
) -> None:
    """Run one command that must succeed.

    Raises:
        InstallError: It failed; the message holds its last line about an error.
    """
    if not attempt(name, command, log, environment):
        lines = log.read_text(errors="replace").splitlines()
        reason = next((line for line in reversed(lines) if "rror" in line), lines[-1])
        raise InstallError(f"'{name}' failed: {reason.strip()} (details in {log})")


def attempt(
    name: str, command: list[str], log: Path, environment: dict[str, str] | None = None
) -> bool:
    """Run one command, its output into ``log``; print how long it took, return whether it did."""
    print(f"  {name} ...", end=" ", flush=True)
    start = time.perf_counter()
    with log.open("a") as output:
        output.write(f"$ {shlex.join(command)}\n")
        output.flush()
        result = subprocess.run(command, stdout=output, stderr=output, env=environment)
    failed = " (failed)" if result.returncode else ""
    print(f"{time.perf_counter() - start:.0f} s{failed}", flush=True)
    return result.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
