"""The extension as a browser policy installs it, in real Chromium, on a computer of its own (private namespaces)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.demo.programs import ROOT
from tests.e2e.forced_stories import POLICY, STORIES

WITHIN_S = 180
ALONE = 'mkdir -p "$1" && mount -t tmpfs tmpfs "$1" && ip link set lo up && shift && exec "$@"'


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0 or shutil.which("unshare") is None,
    reason="needs root on Linux with unshare: browser policies lie in /etc, which is only changed in a private namespace",
)
@pytest.mark.parametrize("story", STORIES, ids=lambda story: str(story).replace("_", " "))
def test_forced_by_policy(story: str, tmp_path: Path) -> None:
    told = [sys.executable, "-m", "tests.e2e.forced_stories", story, str(tmp_path)]
    command = ["sh", "-c", ALONE, "sh", str(POLICY.parent), *told]
    done = subprocess.run(
        ["unshare", "-m", "-n", "-p", "-f", "--kill-child", "--mount-proc", *command],
        cwd=ROOT, capture_output=True, text=True, timeout=WITHIN_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
