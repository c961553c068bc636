"""A computer of one's own for a test: private mounts, network and processes, thrown away at the end.

Browser policies, system manifests and the system's state lie in fixed places. In here these places are written over a copy
that nobody else sees; needs root and Linux.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.demo.programs import ROOT

FOLDERS = ("/etc", "/usr/local", "/usr/lib/mozilla", "/var/lib")
PREPARE = """
set -e
mount -t tmpfs tmpfs "$1"
for folder in {folders}; do
    mkdir -p "$1/new$folder" "$1/work$folder"
    mount -t overlay overlay -o "lowerdir=$folder,upperdir=$1/new$folder,workdir=$1/work$folder" "$folder"
done
mount -t tmpfs tmpfs /run
ip link set lo up
shift
exec "$@"
"""

needs_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="needs root on Linux with unshare: browser policies lie in /etc, which is only changed in a private namespace",
)


def run_alone(module: str, *arguments: str | Path, within_s: float, folder: Path) -> None:
    """Run ``python -m module`` in its own namespace. Fails with its output unless it ends with 0."""
    layer = folder / "layer"
    layer.mkdir()
    prepare = ["sh", "-c", PREPARE.format(folders=" ".join(FOLDERS)), "sh", str(layer)]
    command = [sys.executable, "-m", module, *map(str, arguments)]
    with subprocess.Popen(
        ["unshare", "-m", "-n", "-p", "-f", "--kill-child", "--mount-proc", *prepare, *command],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        try:
            out, _ = process.communicate(timeout=within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            out = process.communicate()[0] + f"\nit did not end within {within_s:.0f} s"
    print(out)
    if process.returncode != 0:
        pytest.fail(out, pytrace=False)
