"""What an extension does, and what it must be able to rely on: the last plan is never taken away or weakened."""

from __future__ import annotations

import base64
import json
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from abide_rules import envelope as dsse
from abide_rules.plan import Plan, decode_plan
from tests.agent.extension import ORIGIN, frame, hello, observation

ANSWER_S = 20.0
SERVICE = "chatgpt"


class GoneError(Exception):
    """The agent ended, or does not answer."""


class Browser:
    """Speaks to the agent's socket as the extension does.

    It holds the newest plan over every fault and asserts of each further one that it is signed by the pinned key and not
    weaker. Observations stay in ``queue`` until the agent called them ``stored``; ``confirmed`` are their hosts.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._link: socket.socket | None = None
        self._key = b""
        self._made = 0
        self.queue: dict[str, dict[str, object]] = {}
        self.confirmed: list[str] = []
        self.plan: Plan | None = None
        self.status: dict[str, Any] = {}

    @property
    def version(self) -> int:
        """The version that is enforced, 0 for none."""
        return self.plan.policy_version if self.plan is not None else 0

    def meet(self, within_s: float = ANSWER_S) -> None:
        """Connect and say hello; a plan must come if one was ever held. Raises GoneError."""
        self.leave()
        self._link = socket.socket(socket.AF_UNIX)
        self._link.settimeout(within_s)
        try:
            self._link.connect(str(self._path))
        except OSError as error:
            raise GoneError(str(error)) from error
        self._send({"type": "host", "origin": ORIGIN, "pid": 1}, hello(policy_version=self.version))
        self.wait("session")
        self.wait("plan" if self.plan is not None else "status")

    def observe(self, count: int) -> None:
        """Queue ``count`` new observations."""
        for _turn in range(count):
            self._made += 1
            made = observation(service=SERVICE, host=f"o{self._made}.example")
            self.queue[str(made["id"])] = made

    def deliver(self) -> None:
        """Hand over the queue and wait until all of it is stored. Raises GoneError."""
        while self.queue:
            self._send({"type": "observed", "observations": list(self.queue.values())})
            before = len(self.queue)
            self.wait("stored")
            if len(self.queue) == before:
                raise GoneError("nothing was stored")

    def wait(self, kind: str) -> dict[str, Any]:
        """Take in messages until one of this type came. Raises GoneError."""
        for message in self.messages():
            if message["type"] == kind:
                return message
        raise GoneError("the agent hung up")

    def wait_for_version(self, version: int) -> None:
        """Take in messages until this version is enforced. Raises GoneError."""
        while self.version < version:
            self.wait("plan")

    def messages(self) -> Iterator[dict[str, Any]]:
        """Yield what comes, after taking it in, until the agent hangs up. Raises GoneError when it is silent."""
        while True:
            try:
                (length,) = struct.unpack("=I", self._exactly(4))
                message: dict[str, Any] = json.loads(self._exactly(length))
            except OSError as error:
                raise GoneError(str(error)) from error
            self._take(message)
            yield message

    def leave(self) -> None:
        """Hang up."""
        if self._link is not None:
            self._link.close()
        self._link = None

    def _take(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "session":
                key = base64.b64decode(message["public_key"])
                assert self._key in (b"", key), "another key than the pinned one signs the plans"
                self._key = key
            case "plan":
                self._obey(message["envelope"])
            case "stored":
                for name in message["ids"]:
                    if name in self.queue:
                        self.confirmed.append(str(self.queue.pop(name)["host"]))
            case "status":
                self.status = message
            case _:
                pass

    def _obey(self, envelope: object) -> None:
        signed = dsse.decode(json.dumps(envelope).encode())
        plan = decode_plan(dsse.verify(signed, dsse.PLAN_TYPE, {dsse.key_id(self._key): self._key}))
        assert verdict(plan) == "block", "the agent weakened the policy"
        if plan.policy_version >= self.version:  # as the extension does (checkNotOlder)
            self.plan = plan

    def _send(self, *messages: object) -> None:
        assert self._link is not None
        try:
            self._link.sendall(b"".join(map(frame, messages)))
        except OSError as error:
            raise GoneError(str(error)) from error

    def _exactly(self, size: int) -> bytes:
        assert self._link is not None
        data = b""
        while len(data) < size:
            part = self._link.recv(size - len(data))
            if not part:
                raise GoneError("the agent hung up")
            data += part
        return data


def verdict(plan: Plan) -> str:
    """What the plan says now about a visit to the service that the tests observe."""
    now_ms = time.time_ns() // 1_000_000
    span = [span for span in plan.timeline if span.start <= now_ms][-1]
    number = plan.sets[span.set].outcomes.get(SERVICE)
    return plan.outcomes[number].verdict if number is not None else "allow"
