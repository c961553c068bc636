"""An agent in the test's hand: it speaks the extension's protocol over a real native-messaging host, and a test decides
what it says and sees all that it hears. It signs plans with its own device key, as the real one does."""

from __future__ import annotations

import base64
import contextlib
import json
import queue
import socket
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abide_agent.bundle import bundle
from abide_agent.config import Config
from abide_agent.install import browser_of
from abide_agent.wanted import manifest
from abide_rules import envelope as dsse
from abide_rules.plan import Plan, encode_plan

Message = dict[str, Any]


class HandAgent:
    """Serves one connection after the other; ``heard`` has every message of the extension, in order."""

    def __init__(self, folder: Path, profile: Path) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.plan: Plan | None = None
        self.store = True
        self._ahead_ms: int | None = None
        self.heard: queue.Queue[Message] = queue.Queue()
        self.observed: dict[str, Message] = {}
        self._sending = threading.Lock()
        self._folder = folder
        self._profile = profile
        self._connection: socket.socket | None = None
        self._listener: socket.socket | None = None

    def start(self) -> None:
        """Install the native host for this profile and listen."""
        path = self._folder / "agent.sock"
        path.unlink(missing_ok=True)
        self._install(path)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        threading.Thread(target=self._accept, args=(self._listener,), name="hand-agent", daemon=True).start()

    def stop(self) -> None:
        """Be gone: the native host ends, and a new one finds nobody."""
        (self._folder / "agent.sock").unlink(missing_ok=True)
        for open_socket in (self._listener, self._connection):
            if open_socket is not None:
                with contextlib.suppress(OSError):
                    open_socket.shutdown(socket.SHUT_RDWR)
                open_socket.close()
        self._listener = self._connection = None

    def push(self, plan: Plan) -> None:
        """Sign a plan and send it, now if somebody is connected, and at each hello."""
        self.plan = plan
        if self._connection is not None:
            self._send(self._connection, self._signed(plan))

    def say_time(self, now_ms: int) -> None:
        """Be of the opinion that it is now ``now_ms``: say so now, at each hello and at each ping."""
        self._ahead_ms = now_ms - int(time.monotonic() * 1000)
        if self._connection is not None:
            self._send(self._connection, {"type": "time", **self._time()})

    def say_no_time(self) -> None:
        """Be silent about the time from now on."""
        self._ahead_ms = None

    def wait_for(self, kind: str, timeout: float = 60, **fields: Any) -> Message:
        """Return the next message of this type with these fields; earlier ones are passed over. Raises queue.Empty."""
        deadline = time.monotonic() + timeout
        while True:
            message = self.heard.get(timeout=max(0, deadline - time.monotonic()))
            if message["type"] == kind and all(message.get(k) == v for k, v in fields.items()):
                return message

    def _install(self, path: Path) -> None:
        script = Config(self._folder).wrapper
        relay = Path(__file__).with_name("relay_host.py")
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{relay}" "{path}"\n')
        script.chmod(0o700)
        for browser in map(browser_of, (self._profile, self._profile / ".mozilla")):
            file = manifest(browser, Config(self._folder), bundle())
            file.path.parent.mkdir(parents=True, exist_ok=True)
            file.path.write_bytes(file.data)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                self._connection = connection
                threading.Thread(target=self._serve, args=(connection,), name="hand-agent-line", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError, struct.error), connection.makefile("rb") as stream:
            while head := stream.read(4):
                self._receive(connection, json.loads(stream.read(struct.unpack("=I", head)[0])))

    def _receive(self, connection: socket.socket, message: Message) -> None:
        match message["type"]:
            case "hello":
                public = base64.b64encode(self._public()).decode()
                device = dsse.device_id(self._public())
                self._send(connection, {"type": "session", "device": device, "public_key": public})
                if self._ahead_ms is not None:
                    self._send(connection, {"type": "time", **self._time()})
                status = {"connected": True, "stale": False, "policy_version": 1, "spooled": 0}
                self._send(connection, {"type": "status", "server": "https://abide.example", **status})
                if self.plan is not None:
                    self._send(connection, self._signed(self.plan))
            case "observed" if self.store:
                self.observed |= {one["id"]: one for one in message["observations"]}
                self._send(connection, {"type": "stored", "ids": [one["id"] for one in message["observations"]]})
            case "records":
                events = [{**one, "acknowledged": True} for one in reversed(self.observed.values())]
                self._send(connection, {"type": "records", "events": events[: message["limit"]]})
            case "ping":
                self._send(connection, {"type": "pong", **self._time()})
            case _:
                pass
        self.heard.put(message)

    def _signed(self, plan: Plan) -> Message:
        return {
            "type": "plan",
            "envelope": json.loads(dsse.encode(dsse.sign(dsse.PLAN_TYPE, encode_plan(plan), self.key))),
        }

    def _time(self) -> Message:
        return {} if self._ahead_ms is None else {"now": int(time.monotonic() * 1000) + self._ahead_ms}

    def _public(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    def _send(self, connection: socket.socket, message: Message) -> None:
        raw = json.dumps(message).encode()
        with self._sending, contextlib.suppress(OSError):
            connection.sendall(struct.pack("=I", len(raw)) + raw)
