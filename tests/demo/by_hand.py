"""The demonstration for a person: everything runs, a browser opens, and the terminal says what to try."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp

from tests.demo.browsers import BRANDED, CHROMIUMS, EXTENSION, find, sandbox_flags
from tests.demo.firefox import BY_HAND, FIREFOXES, UNSIGNED, launch, prepare
from tests.demo.house import House
from tests.demo.programs import StoryError, until

FLAGS = ["--no-first-run", "--no-default-browser-check", "--password-store=basic"]
TRY = """
Abide runs on this machine. Try this:

  1. The browser shows why chatgpt.com is blocked. Try claude.ai, gemini.google.com, x.com/i/grok too.
  2. Open the extension's popup (puzzle icon → Abide): working or free time, policy version, what was recorded.
  3. Change the policy: in {policy}
     write “verdict: warn” instead of “verdict: block” in the first rule, then run

       {bin}/abide-server publish {policy} --data {data}

     and watch the open tab: it obeys within a second.
  4. The server's page: {url}
  5. What the agent says: {bin}/abide-agent status --state {state}

Ctrl-C ends everything. It all lives in {folder}.
"""
CLICKS = """
This browser does not load an extension from the command line. Three clicks do it:
  1. open chrome://extensions and switch on “Developer mode” (top right)
  2. “Load unpacked”
  3. choose the folder {extension}
"""


def by_hand(folder: Path, name: str | None = None) -> int:
    """Run until Ctrl-C or until the browser is closed. Raises StoryError when something cannot start.

    ``name``: ``chromium`` or ``firefox``; None takes the first that is found.
    """
    browser = "" if name == "firefox" else find(CHROMIUMS) or find(BRANDED)
    if not browser and (name == "chromium" or not find(FIREFOXES)):
        package = "firefox-esr" if name == "firefox" else "chromium"
        raise StoryError(f"No browser was found. Run: sudo apt-get install {package}")
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise StoryError("There is no display to open a browser on. Run: make demo HEADLESS=1")
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    house = House(folder)
    process = None
    try:
        house.open()
        process = _open(browser, house) if browser else _open_firefox(house)
        print(
            TRY.format(
                policy=house.policy, bin=Path(sys.executable).parent, data=house.data, url=house.url,
                state=house.state, folder=folder,
            ),
            flush=True,
        )  # fmt: skip
        process.wait()
    except KeyboardInterrupt:
        print()
    finally:
        if process and process.poll() is None:
            process.terminate()
            process.wait()
        house.close()
    return 0


def _open(browser: str, house: House) -> subprocess.Popen[bytes]:
    branded = not find(CHROMIUMS)
    start = ["about:blank"] if branded else ["https://chatgpt.com/", house.url]
    load = ["--remote-debugging-port=0", "--enable-unsafe-extension-debugging"] if branded else []
    flags = [f"--user-data-dir={house.profile}", *FLAGS, *sandbox_flags(), *load, f"--load-extension={EXTENSION}"]
    with (house.folder / "logs" / "browser.log").open("ab") as log:
        process = subprocess.Popen([browser, *flags, *start], stdout=log, stderr=log, start_new_session=True)
    if branded:
        try:
            asyncio.run(_load_over_devtools(house))
        except (StoryError, aiohttp.ClientError, OSError):
            print(CLICKS.format(extension=EXTENSION))
    return process


def _open_firefox(house: House) -> subprocess.Popen[bytes]:
    """Firefox opens its first pages some tenths of a second before its extensions run; an open tab is stopped then."""
    prepare(house.profile, BY_HAND | UNSIGNED)
    return launch(house.profile, ["https://chatgpt.com/", house.url])


async def _load_over_devtools(house: House) -> None:
    """Load the extension over the DevTools protocol and open the two pages; branded browsers ignore the flag."""
    port_file = house.profile / "DevToolsActivePort"
    until("the browser listens", port_file.exists)
    port, path = port_file.read_text().split()
    commands = [
        ("Extensions.loadUnpacked", {"path": str(EXTENSION)}),
        ("Target.createTarget", {"url": "https://chatgpt.com/"}),
        ("Target.createTarget", {"url": house.url}),
    ]
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"ws://127.0.0.1:{port}{path}", max_msg_size=0) as devtools,
    ):
        for number, (method, parameters) in enumerate(commands):
            await devtools.send_json({"id": number, "method": method, "params": parameters})
            answer = await devtools.receive_json(timeout=10)
            if "error" in answer:
                raise StoryError(str(answer["error"]))
