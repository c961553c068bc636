"""What the figures were measured on."""

from __future__ import annotations

import datetime as dt
import os
import platform
import subprocess
from pathlib import Path

from tests.demo.browsers import CHROMIUMS, find

HIGH_LOAD = 0.7


def describe() -> str:
    """Return processor, cores, kernel, Python, browser, load at the start, and when, in one line."""
    load = os.getloadavg()[0]
    return ", ".join(
        [
            _processor(),
            f"{os.cpu_count()} cores",
            f"Linux {platform.release()}",
            f"Python {platform.python_version()}",
            _browser(),
            f"load {load:.1f}",
            dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        ]
    )


def load_warning() -> str:
    """Return a warning when other work runs here, or empty."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load < HIGH_LOAD * cores:
        return ""
    return f"Warning: other work runs on this machine (load {load:.1f} on {cores} cores); times below are upper bounds."


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _browser() -> str:
    browser = find(CHROMIUMS)
    if not browser:
        return "no browser"
    done = subprocess.run([browser, "--version"], capture_output=True, text=True, check=False)
    return " ".join(done.stdout.split()[:2])
