"""A program in two processes, as torchrun starts them."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def torchrun(*words):
    """Run to the end; what it printed is shown if it fails."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node=2", f"--master_port={port}"]
    paths = os.pathsep.join([str(FOLDER), str(FOLDER.parents[1])])
    process = subprocess.Popen(
        [sys.executable, *launcher, *map(str, words)],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=300)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, output
