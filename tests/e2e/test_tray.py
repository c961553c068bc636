"""The tray in a real tray: its icon, what it becomes when the daemon dies, its menu, and that nobody needs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.demo.house import House
from tests.demo.programs import BIN, until

NEEDED = ("Xvfb", "openbox", "trayer", "import", "dbus-run-session")
pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, NEEDED)), reason=f"needs {', '.join(NEEDED)} (imagemagick has import)"
)
TRAY_WIDTH, TRAY_HEIGHT = 60, 24


@contextmanager
def started(*command: str | Path, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def desktop(*, with_tray: bool) -> Iterator[dict[str, str]]:
    """A display with a window manager and, if wanted, a tray in its lower left corner; yields its environment."""
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "640x400x24", "-nolisten", "tcp"],
        pass_fds=[write],
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    try:
        with os.fdopen(read) as line:
            env = os.environ | {"DISPLAY": f":{line.readline().strip()}", "ABIDE_LANG": "en"}
        with ExitStack() as stack:
            stack.enter_context(started("openbox", env=env))
            if with_tray:
                geometry = ("--widthtype", "pixel", "--width", str(TRAY_WIDTH), "--height", str(TRAY_HEIGHT))
                place = ("--edge", "bottom", "--align", "left", "--SetDockType", "true", "--tint", "0xeeeeee")
                stack.enter_context(started("trayer", *geometry, *place, env=env))
            yield env
    finally:
        server.terminate()
        server.wait(10)


def picture(env: dict[str, str], path: Path) -> bytes:
    """What the corner of the screen shows, as pixels."""
    subprocess.run(["import", "-silent", "-window", "root", path], env=env, check=True)
    corner = ["convert", str(path), "-gravity", "SouthWest", "-crop", f"{TRAY_WIDTH}x{TRAY_HEIGHT}+0+0", "rgb:-"]
    return subprocess.run(corner, env=env, check=True, capture_output=True).stdout


def reds(pixels: bytes) -> int:
    """How many pixels have the colour of the crossed-out shield."""
    return sum(r > 140 and g < 70 and b < 80 for r, g, b in zip(pixels[::3], pixels[1::3], pixels[2::3], strict=True))


def greens(pixels: bytes) -> int:
    return sum(r < 80 and g > 80 and b < 110 for r, g, b in zip(pixels[::3], pixels[1::3], pixels[2::3], strict=True))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "house")
    try:
        made.open()
        yield made
    finally:
        made.close()


def guarded(house: House) -> bool:
    return not house.status()["no"]["block"]


@pytest.mark.parametrize("backend", ["", "xorg"], ids=["the best backend", "without GTK"])
def test_the_icon_follows_the_daemon_and_the_daemon_does_not_need_it(
    backend: str, house: House, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        env = stack.enter_context(desktop(with_tray=True)) | ({"PYSTRAY_BACKEND": backend} if backend else {})
        browser = stack.enter_context(hand_browser(house))
        until("the browser counts as guarded", lambda: guarded(house))
        command = (BIN / "abide-agent", "tray", "--wait", "30", "--state", house.state)
        tray = stack.enter_context(started("dbus-run-session", "--", *command, env=env))
        shot = tmp_path / "screen.png"
        until("the green shield is shown", lambda: greens(picture(env, shot)) > 60)
        assert reds(picture(env, shot)) == 0
        pid = house.agent.pid
        house.agent.kill()
        until("the red outline is shown", lambda: reds(picture(env, shot)) > 30)
        house.start_agent()
        assert house.agent.pid != pid
        tray.kill()
        tray.wait(10)
        browser.terminate()
        assert house.status()["running"]


@contextmanager
def hand_browser(house: House) -> Iterator[subprocess.Popen[bytes]]:
    """A process that speaks as a browser which enforces version 1, whenever an agent is there."""
    with started(
        BIN / "python", "-m", "tests.e2e.hand_browser", house.state / "agent.sock", env=dict(os.environ)
    ) as it:
        yield it


@pytest.mark.parametrize("display", [False, True], ids=["no display", "a display without a tray"])
def test_without_a_tray_it_ends_well_and_says_so(display: bool, tmp_path: Path) -> None:
    with ExitStack() as stack:
        env = stack.enter_context(desktop(with_tray=False)) if display else {**os.environ, "DISPLAY": ""}
        done = subprocess.run(
            [BIN / "abide-agent", "tray", "--json", "--state", tmp_path], env=env, capture_output=True, timeout=60
        )
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["tray"] is False
