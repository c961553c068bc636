"""A load of requests, and the client that sends it: ``python -m tests.bench.load FILE`` prints how many seconds it took.

Each line is one keep-alive connection that sends its bodies in order, waiting for each answer, as an agent does; what
fails inside the server is sent again, as an agent does too.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import msgspec

from tests.bench.peer import PYTHON
from tests.demo.programs import ROOT

TRIES = 10


class Line(msgspec.Struct, frozen=True):
    """Where one connection posts, and what."""

    url: str
    bodies: tuple[bytes, ...]


class Load(msgspec.Struct, frozen=True):
    """All connections, and what they say they send."""

    media_type: str
    lines: tuple[Line, ...]

    def send(self, file: Path) -> float:
        """Send it from another process, by way of ``file``; return the seconds. Raises RuntimeError on any refusal."""
        file.write_bytes(msgspec.msgpack.encode(self))
        done = subprocess.run(
            [PYTHON, "-m", "tests.bench.load", file], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"the load was not accepted: {done.stderr[-500:]}")
        return float(done.stdout)


async def _send_all(load: Load) -> float:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers={"Content-Type": load.media_type}) as session:
        begin = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for line in load.lines:
                group.create_task(_send_line(session, line))
        return time.perf_counter() - begin


async def _send_line(session: aiohttp.ClientSession, line: Line) -> None:
    for body in line.bodies:
        for attempt in range(TRIES):
            async with session.post(line.url, data=body) as response:
                answer = await response.read()
            if response.status == 200:
                break
            if response.status < 500 or attempt == TRIES - 1:
                raise RuntimeError(f"{line.url}: {response.status} {answer[:300]!r}")


if __name__ == "__main__":
    print(asyncio.run(_send_all(msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=Load))))
