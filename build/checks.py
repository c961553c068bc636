"""Runs a built agent as laptops will: it enrols over TLS, runs, speaks to a browser, ends."""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

WAIT_S = 30
POLICY_LINES = {"zone:": "  zone: Asia/Shanghai", "holidays:": "  holidays: {country: CN}"}


def check_program(program: Path, folder: Path) -> str:
    """Use every command of ``program`` with a server of its own below ``folder``; return the times.

    Raises CalledProcessError, RuntimeError or TimeoutError at the first thing that is not well.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    state = ("--state", str(folder / "agent"))
    require("abide-agent" in answer(program, "--help"), "--help explains the program")
    require("代理" in answer(program, "--help", lang="zh"), "--help explains it in Chinese")
    with server(folder) as token:
        require(
            not json.loads(answer(program, "doctor", *state, "--json", code=1))["ok"], "the doctor misses enrolment"
        )
        answer(program, "enroll", token, *state)
        begin = time.monotonic()
        with running([str(program), "run", "--json", *state], folder / "agent.log") as process:
            out = process.stdout
            require(out is not None and json.loads(out.readline())["ok"], "the daemon says that it is ready")
            ready = time.monotonic() - begin
            wait("a policy with holidays", lambda: status(program, state)["policy_version"] == 1)
            first = speak(program, state)
            require("connected" in answer(program, "doctor", *state, "--json", code=1), "the doctor finds the agent")
        require(process.returncode == 0, "the daemon ends in order")
    return f"ready after {ready * 1000:.0f} ms, native host answers after {first * 1000:.0f} ms"


def speak(program: Path, state: tuple[str, str]) -> float:
    """Be a browser: start the native host, say hello, get a plan. Return the seconds until the first answer."""
    hello = {"type": "hello", "v": 1, "browser": "chromium", "browser_version": "1", "extension_version": "1"}
    ids = json.loads((program.parent / "extension" / "extension.json").read_text("utf-8"))
    command = [str(program), "native-host", *state, f"chrome-extension://{ids['chromium_id']}/"]
    begin = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as host:
        to_host, from_host = cast("IO[bytes]", host.stdin), cast("IO[bytes]", host.stdout)
        body = json.dumps(hello | {"policy_version": 0}).encode()
        to_host.write(struct.pack("=I", len(body)) + body)
        to_host.flush()
        kinds = [next_type(from_host)]
        first = time.monotonic() - begin
        while kinds[-1] != "plan":
            kinds.append(next_type(from_host))
        to_host.close()
        host.wait(WAIT_S)
    require(kinds[0] == "session", "the native host relays")
    return first


def next_type(from_host: IO[bytes]) -> str:
    """Return the type of the native host's next message."""
    head = from_host.read(4)
    require(len(head) == 4, "the native host answers")
    return str(json.loads(from_host.read(struct.unpack("=I", head)[0]))["type"])


def status(program: Path, state: tuple[str, str]) -> dict[str, Any]:
    """Return what the program says of the running daemon."""
    result = subprocess.run([str(program), "status", *state, "--json"], capture_output=True, check=False)
    return {"policy_version": 0, **json.loads(result.stdout)}


def answer(program: Path, *arguments: str, code: int = 0, lang: str = "en") -> str:
    """Run a command that must end with ``code``; return what it printed."""
    env = os.environ | {"ABIDE_LANG": lang}
    result = subprocess.run([str(program), *arguments], capture_output=True, text=True, env=env, check=False)
    require(result.returncode == code, f"{arguments[0]} ends with {code}: {result.stdout}{result.stderr}")
    return result.stdout


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Run a server with an authority of its own and a policy with holidays; yield a token."""
    tool, data, policy = (
        str(Path(sys.executable).parent / "abide-server"),
        str(folder / "server"),
        folder / "policy.yaml",
    )
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    make = Path(sys.executable).parent / "abide-policy"
    subprocess.run([str(make), "new", "strict", "-o", str(policy)], check=True, stdout=subprocess.DEVNULL)
    lines = policy.read_text("utf-8").splitlines()
    wanted = [next((new for key, new in POLICY_LINES.items() if line.strip().startswith(key)), line) for line in lines]
    policy.write_text("\n".join(wanted) + "\n", "utf-8")
    setup = (["init", "--url", f"https://127.0.0.1:{port}", "--tls-host", "127.0.0.1"], ["publish", str(policy)])
    for command in setup:
        subprocess.run([tool, *command, "--data", data], check=True, stdout=subprocess.DEVNULL)
    with running([tool, "serve", "--port", port, "--data", data], folder / "server.log"):
        wait("the server", lambda: reaches(int(port)))
        token = subprocess.run([tool, "token", "--json", "--data", data], check=True, capture_output=True).stdout
        yield json.loads(token)["token"]


@contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends."""
    with log.open("wb") as errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(WAIT_S)


def reaches(port: int) -> bool:
    """Say whether something listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait(what: str, is_there: Callable[[], object]) -> None:
    """Wait for something. Raises TimeoutError."""
    end = time.monotonic() + WAIT_S
    while not is_there():
        if time.monotonic() > end:
            raise TimeoutError(f"not seen within {WAIT_S} s: {what}")
        time.sleep(0.05)


def require(holds: bool, what: str) -> None:
    """Raise RuntimeError unless something holds."""
    if not holds:
        raise RuntimeError(f"the built program is not well: {what}")
