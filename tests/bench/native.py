"""``native_round_trip``: a message from the extension to the daemon and back, beside an echo host that does nothing."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from abide_rules.wire import NATIVE_HOST_NAME
from tests.bench.browsers import browsers
from tests.bench.figures import percentile
from tests.bench.host import HELLO, ORIGIN, NativeHost
from tests.bench.peer import PYTHON, SCRIPTS
from tests.bench.registry import Bench
from tests.demo.browsers import EXTENSION
from tests.demo.house import House

ROUNDS = 1_000
WARM_UP = 20
ECHO_NAME = "abide.bench.echo"
ECHO = "an echo host of 10 lines (standard library; no daemon behind it)"
IN_PAGE = """async ([name, rounds]) => {
  const port = chrome.runtime.connectNative(name);
  const times = [];
  for (let at = 0; at < rounds; at += 1) {
    const begin = performance.now();
    await new Promise((resolve, reject) => {
      port.onDisconnect.addListener(() => reject(new Error(chrome.runtime.lastError?.message ?? "the host ended")));
      const listen = (message) => { port.onMessage.removeListener(listen); resolve(message); };
      port.onMessage.addListener(listen);
      port.postMessage({ type: "ping" });
    });
    times.push(performance.now() - begin);
  }
  port.disconnect();
  return times;
}"""


def round_trip(bench: Bench) -> None:
    """Ping through page, port, host and daemon; then the same host driven without a browser."""
    house = House(bench.folder / "house")
    try:
        house.open()
        echo = _install_echo(house)
        rounds = bench.times(ROUNDS, 10)
        with browsers([]) as open_one:
            page = open_one(house.profile, EXTENSION).new_page()
            page.goto(f"{ORIGIN}pages/popup.html")
            _add(bench, "native_round_trip", *(_in_page(page, name, rounds) for name in (NATIVE_HOST_NAME, ECHO_NAME)))
        _add(bench, "native_round_trip_host", *(_driven(path, rounds) for path in (house.state / "native-host", echo)))
    finally:
        house.close()


def _add(bench: Bench, name: str, ours: list[float], theirs: list[float]) -> None:
    for suffix, share in (("", 0.5), ("_p99", 0.99)):
        value, peer_value = percentile(ours, share), percentile(theirs, share)
        bench.add(f"{name}{suffix}", value, "ms", len(ours), peer=ECHO, peer_value=peer_value)


def _in_page(page: Page, name: str, rounds: int) -> list[float]:
    times: list[float] = page.evaluate(IN_PAGE, [name, rounds + WARM_UP])
    return times[WARM_UP:]


def _driven(command: Path, rounds: int) -> list[float]:
    times = []
    with NativeHost(command) as host:
        if command.name == "native-host":
            host.send(HELLO)
        for _ in range(rounds + WARM_UP):
            begin = time.perf_counter()
            host.send({"type": "ping"})
            host.receive("pong")
            times.append((time.perf_counter() - begin) * 1000)
    return times[WARM_UP:]


def _install_echo(house: House) -> Path:
    """Make the echo host known to the browser of this profile; return its program."""
    script = house.folder / "echo-host"
    script.write_text(f'#!/bin/sh\nexec "{PYTHON}" -IS "{SCRIPTS / "echo_host.py"}"\n')
    script.chmod(0o700)
    manifest: dict[str, Any] = {
        "name": ECHO_NAME, "description": "echo", "path": str(script), "type": "stdio", "allowed_origins": [ORIGIN],
    }  # fmt: skip
    (house.profile / "NativeMessagingHosts" / f"{ECHO_NAME}.json").write_text(json.dumps(manifest))
    return script
