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
  time of every one of mmcv's 78 files.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINNED = ROOT / "requirements" / "pinned.txt"
MMCV = ROOT / "requirements" / "mmcv.txt"
# Everything that mmcv's build and the source archives of the other libraries need.
BUILD_TOOLS = ("setuptools", "wheel", "packaging", "ninja", "psutil", "numpy")
TORCH = ("torch", "torchvision")
SUPPORTED = ((3, 10), (3, 13))

# Compiled once, included first in every file of mmcv (see `precompiled_header`).
HEADER = "#include <torch/types.h>\n#include <vector>\n"
# The flags a torch extension gets beside those of the interpreter.
EXTENSION_FLAGS = "-std=c++17 -DTORCH_API_INCLUDE_EXTENSION_H -DTORCH_EXTENSION_NAME=_ext"
# Debug information is most of the compiler's output and no one reads it; -O1 instead of
# -O3 changes no operator's result, and mmcv's CPU operators are not on our hot paths.
CFLAGS = "-g0 -O1"


class InstallError(Exception):
    """One sentence for the user."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--venv", type=Path, default=ROOT / ".venv", help="where to install")
    arguments = parser.parse_args()
    try:
        install(arguments.venv)
    except InstallError as error:
        print(f"install: {error}", file=sys.stderr)
        return 1
    return 0


def install(venv: Path) -> None:
    """Bring ``venv`` to the state that the files of this folder describe."""
    if not SUPPORTED[0] <= sys.version_info[:2] < SUPPORTED[1]:
        raise InstallError(
            f"Python 3.10 to 3.12 is needed, this is {platform.python_version()}; "
            "run make with PYTHON=python3.11."
        )
    stamp = venv / "mmsuper-install.sha256"
    wanted = fingerprint()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    python = venv / "bin" / "python"
    log = Path(tempfile.gettempdir()) / f"mmsuper-install-{os.getpid()}.log"
    print(f"installing into {venv} (once; output in {log})", flush=True)
    if not python.exists():
        step("environment", [sys.executable, "-m", "venv", str(venv)], log)
    pip = [str(python), "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    pins = read_pins(PINNED)
    step("build tools", [*pip, *select(pins, BUILD_TOOLS)], log)
    step("torch", [*pip, "--no-deps", *torch_closure(pins)], log)
    step("libraries", [*pip, "--no-deps", "--no-build-isolation", "-r", str(PINNED)], log)
    with tempfile.TemporaryDirectory() as folder:
        step(
            "mmcv (compiled; minutes the first time)",
            [*pip, "--no-deps", "--no-build-isolation", "-r", str(MMCV)],
            log,
            mmcv_environment(python, Path(folder)),
        )
    check = "import torch, mmcv.ops as o; b = torch.rand(4, 4); o.nms(b, b[:, 0], 0.5)"
    step("mmcv operators run", [str(python), "-c", check], log)
    step("mmsuper", [*pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT)], log)
    stamp.write_text(wanted)


def fingerprint() -> str:
    """Hash of the files and the interpreter that decide what the environment holds."""
    digest = hashlib.sha256(f"{platform.python_version()} {platform.machine()}".encode())
    for path in (PINNED, MMCV, Path(__file__), ROOT / "setup.py", ROOT / "pyproject.toml"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def read_pins(path: Path) -> dict[str, str]:
    """``{name: "name==version"}`` of a lock file."""
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return {line.split("==")[0].lower(): line for line in lines if line}


def select(pins: dict[str, str], names: tuple[str, ...]) -> list[str]:
    return [pins[name] for name in names]


def torch_closure(pins: dict[str, str]) -> list[str]:
    """torch, torchvision and the CUDA packages of their wheels, as pinned."""
    return [
        pin for name, pin in pins.items() if name in TORCH or name.startswith(("nvidia-", "cuda-"))
    ]


def mmcv_environment(python: Path, folder: Path) -> dict[str, str]:
    """Variables for mmcv's build: operators on, one job a core, cheap flags, our header."""
    environment = dict(os.environ)
    environment["PATH"] = f"{python.parent}{os.pathsep}{environment['PATH']}"
    environment["MMCV_WITH_OPS"] = "1"
    environment.setdefault("MAX_JOBS", str(os.cpu_count() or 1))
    environment.setdefault("CFLAGS", CFLAGS)
    environment["CFLAGS"] += precompiled_header(python, folder, environment)
    return environment


def precompiled_header(python: Path, folder: Path, environment: dict[str, str]) -> str:
    """Compile torch's headers once; return the flag that includes them, or nothing.

    GCC uses a precompiled header only if it was made with the flags of the file that
    includes it, and silently reads the plain header otherwise, so a mismatch costs time
    and never correctness. Other compilers build without it.
    """
    probe = (
        "import shlex; from setuptools import Distribution\n"
        "from distutils.sysconfig import customize_compiler\n"
        "from distutils.ccompiler import new_compiler\n"
        "import sysconfig, torch.utils.cpp_extension as e\n"
        "c = new_compiler(); customize_compiler(c)\n"
        "inc = [*e.include_paths(), sysconfig.get_paths()['include']]\n"
        "print(shlex.join([*c.compiler_so_cxx, *('-I' + i for i in inc)]))\n"
    )
    found = subprocess.run(
        [str(python), "-W", "ignore", "-c", probe], capture_output=True, text=True, env=environment
    )
    if found.returncode:
        return ""
    compiler = shlex.split(found.stdout.strip().splitlines()[-1])
    version = subprocess.run([compiler[0], "--version"], capture_output=True, text=True).stdout
    if "Free Software Foundation" not in version:
        return ""
    header = folder / "torch_types.h"
    header.write_text(HEADER)
    made = subprocess.run(
        [*compiler, *EXTENSION_FLAGS.split(), "-x", "c++-header", str(header), "-o", f"{header}.gch"],
        capture_output=True,
    )
    return f" -include {header}" if made.returncode == 0 else ""


def step(
    what: str, command: list[str], log: Path, environment: dict[str, str] | None = None
) -> None:
    """Run one command, its output into ``log``, and print how long it took."""
    print(f"  {what} ...", end=" ", flush=True)
    start = time.perf_counter()
    with log.open("a") as output:
        output.write(f"$ {shlex.join(command)}\n")
        output.flush()
        result = subprocess.run(command, stdout=output, stderr=output, env=environment)
    print(f"{time.perf_counter() - start:.0f} s", flush=True)
    if result.returncode:
        lines = log.read_text(errors="replace").splitlines()
        reason = next((line for line in reversed(lines) if "rror" in line), lines[-1])
        raise InstallError(f"'{what}' failed: {reason.strip()} (whole output: {log})")


if __name__ == "__main__":
    sys.exit(main())
