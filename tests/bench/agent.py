"""``agent_rest`` and ``agent_start``: what the daemon costs when nothing happens, and how soon it is there."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from tests.bench.figures import percentile
from tests.bench.host import HELLO, NativeHost
from tests.bench.peer import AW_SERVER
from tests.bench.processes import Memory, Usage, answers, aw_command, aw_env, aw_server, running
from tests.bench.registry import Bench
from tests.demo.house import House
from tests.demo.programs import BIN, free_port, tool, until

STARTS = 10
SETTLE_S = 60.0
REST_S = 45.0
PEER = "aw-server 0.12.0 (records events locally; verifies, enforces and sends nothing)"


def rest(bench: Bench) -> None:
    """Leave an enrolled, connected agent with one browser alone, beside the peer, and look what both used."""
    house = _house(bench.folder / "house")
    try:
        house.open()
        with ExitStack() as stack:
            host = stack.enter_context(NativeHost(house.state / "native-host"))
            host.send(HELLO)
            host.receive("plan")
            host.read_on()
            pids = [house.agent.pid]
            if (home := bench.home(AW_SERVER)) is not None:
                pids.append(stack.enter_context(aw_server(home, bench.folder))[0])
            until("the agent is connected", lambda: house.status()["connected"])
            _add_rest(bench, pids)
    finally:
        house.close()


def _add_rest(bench: Bench, pids: list[int]) -> None:
    time.sleep(SETTLE_S * bench.scale)
    before = [Usage.of(pid) for pid in pids]
    time.sleep(REST_S * bench.scale)
    after = [Usage.of(pid) for pid in pids]
    memory = [Memory.of(pid) for pid in pids]
    pairs = list(zip(before, after, strict=True))
    seconds = [b.at - a.at for a, b in pairs]
    cpu = [100 * (b.cpu_s - a.cpu_s) / s for (a, b), s in zip(pairs, seconds, strict=True)]
    wakeups = [(b.wakeups - a.wakeups) / s for (a, b), s in zip(pairs, seconds, strict=True)]
    rows = [
        ("agent_rest", "MB RSS", [m.rss for m in memory]),
        ("agent_rest_pss", "MB PSS", [m.pss for m in memory]),
        ("agent_rest_cpu", "% of a core", cpu),
        ("agent_rest_wakeups", "wake-ups/s", wakeups),
    ]
    for name, unit, values in rows:
        bench.add(name, values[0], unit, 1, peer=PEER, peer_value=values[1] if len(values) > 1 else None)


def start(bench: Bench) -> None:
    """Start the agent that holds a policy, again and again, from exec to its ready line."""
    house = _house(bench.folder / "house")
    starts = bench.times(STARTS, 2)
    try:
        house.open()
        house.agent.stop()
        ours = [_start_agent(house) for _ in range(starts)]
    finally:
        house.close()
    theirs: list[float] = []
    if (home := bench.home(AW_SERVER)) is not None:
        theirs = [_start_peer(home, bench.folder) for _ in range(starts + 1)][1:]  # the first one makes its database
    bench.add(
        "agent_start", *_summary(ours, statistics.median), peer=PEER, peer_value=_or_none(theirs, statistics.median)
    )
    bench.add("agent_start_p95", *_summary(ours, _p95), peer=PEER, peer_value=_or_none(theirs, _p95))


def _summary(values: list[float], how: Callable[[list[float]], float]) -> tuple[float, str, int]:
    return how(values), "ms", len(values)


def _or_none(values: list[float], how: Callable[[list[float]], float]) -> float | None:
    return how(values) if values else None


def _p95(values: list[float]) -> float:
    return percentile(values, 0.95)


def _house(folder: Path) -> House:
    """A house with the strict policy as it ships, with its public holidays."""
    house = House(folder)
    tool("abide-policy", "new", "strict", "-o", house.policy, "--force")
    house.publish()
    return house


def _start_agent(house: House) -> float:
    with (house.folder / "logs" / "agent.log").open("ab") as log:
        begin = time.perf_counter()
        process = subprocess.Popen(
            [BIN / "abide-agent", "run", "--state", house.state, "--json"], stdout=subprocess.PIPE, stderr=log
        )
        try:
            line = process.stdout.readline() if process.stdout else b""
            took = (time.perf_counter() - begin) * 1000
        finally:
            process.terminate()
            process.communicate(timeout=20)
    if not line:
        raise RuntimeError("the agent did not start")
    return took


def _start_peer(home: Path, folder: Path) -> float:
    url = f"http://127.0.0.1:{free_port()}"
    begin = time.perf_counter()
    with running(*aw_command(home, url), log=folder / "aw-server.log", env=aw_env(folder)):
        until("aw-server answers", lambda: answers(f"{url}/api/0/info"), every_s=0.002)
        return (time.perf_counter() - begin) * 1000
