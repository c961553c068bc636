"""Real parts for the server's tests: an initialised data directory, a laptop with its own key, a running process."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from unittest import mock

import aiohttp
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abide_rules import envelope as dsse
from abide_rules import i18n
from abide_rules.events import GENESIS, Event, Receipt, chain, seal
from abide_rules.policy_file import load_template
from abide_rules.wire import (
    BATCH_MEDIA_TYPE,
    ENROLL_PATH,
    EVENTS_PATH,
    STREAM_PATH,
    EnrolmentProof,
    EnrolmentToken,
    EnrolRequest,
    EnrolResponse,
    Hello,
    Problem,
    StreamProof,
)
from abide_server.cli import main
from abide_server.config import DataDir, Settings, save_settings
from abide_server.keys import create_key
from abide_server.repository import Repository
from abide_server.signing import Signers
from abide_server.store.migrate import migrate

NOW = int(time.time()) * 1000
PROGRAM = Path(sys.executable).parent / "abide-server"


def make_data(folder: Path, url: str, now: int) -> DataDir:
    """Do what `init` does, without a process."""
    data = DataDir(folder)
    folder.mkdir(mode=0o700)
    create_key(data.receipt_key)
    signers = Signers(data.keys)
    signers.create()
    Repository(data.tuf, signers).create(now)
    migrate(data.database)
    save_settings(data, Settings(1, url))
    return data


def policy(template: str = "strict") -> str:
    return load_template(template)


def read_token(text: str) -> EnrolmentToken:
    prefix, _, body = text.partition(".")
    if prefix != "abide1":
        raise ValueError(text)
    return msgspec.json.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)), type=EnrolmentToken)


def event(seq: int, **fields: Any) -> bytes:
    base: dict[str, Any] = {
        "v": 1, "seq": seq, "at": NOW + seq, "tz_offset": 60, "kind": "visit", "surface": "browser",
        "purpose": "undeclared", "period": "working", "verdict": "block", "policy_version": 1, "rule": "working-time",
        "clause": "BUS-1", "person": "p-1", "browser": "chromium", "service": "chatgpt", "host": "chatgpt.com",
    }  # fmt: skip
    return msgspec.json.encode(msgspec.convert(base | fields, Event))


class Laptop:
    """A device with its own key and chain, speaking to a server over real HTTP."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.public = self.key.public_key().public_bytes_raw()
        self.device = dsse.device_id(self.public)
        self.session = session
        self.url = url
        self.head = GENESIS
        self.next_seq = 1

    def enrol_body(self, token: EnrolmentToken, /, **changes: Any) -> dict[str, str]:
        proof = EnrolmentProof(
            token.id, base64.b64encode(self.public).decode(), "laptop-1", "linux", "0.1.0", NOW
        )  # fmt: skip
        proof = msgspec.structs.replace(proof, **changes)
        envelope = dsse.sign(dsse.ENROLMENT_TYPE, msgspec.json.encode(proof), self.key)
        request = EnrolRequest(token.id, token.secret, dsse.encode(envelope).decode())
        return dict(msgspec.to_builtins(request))

    async def enrol(self, token: EnrolmentToken) -> EnrolResponse:
        async with self.session.post(self.url + ENROLL_PATH, json=self.enrol_body(token)) as response:
            raw = await response.read()
            if response.status != 200:
                raise ValueError(raw)
            answer = msgspec.json.decode(raw, type=EnrolResponse)
        if hashlib.sha256(base64.b64decode(answer.root)).hexdigest() != token.root_sha256:
            raise ValueError("the root is not the one that the token pins")
        return answer

    def batch(self, count: int = 3, *, first: int | None = None, prev: str | None = None, **fields: Any) -> bytes:
        first = self.next_seq if first is None else first
        lines = [event(seq, **fields) for seq in range(first, first + count)]
        return seal(self.device, self.key, self.head if prev is None else prev, first, lines, "0.1.0")

    def advance(self, count: int = 3, **fields: Any) -> None:
        lines = [event(seq, **fields) for seq in range(self.next_seq, self.next_seq + count)]
        self.head = chain(self.head, lines)
        self.next_seq += count

    async def post(self, raw: bytes, media_type: str = BATCH_MEDIA_TYPE) -> tuple[int, bytes]:
        headers = {"Content-Type": media_type}
        async with self.session.post(self.url + EVENTS_PATH, data=io.BytesIO(raw), headers=headers) as response:
            return response.status, await response.read()

    async def send(self, count: int = 3, **fields: Any) -> Receipt:
        status, answer = await self.post(self.batch(count, **fields))
        if status != 200:
            raise ValueError(answer)
        self.advance(count, **fields)
        return receipt(answer)

    async def stream(self, *, nonce: str | None = None, policy_version: int = 0) -> aiohttp.ClientWebSocketResponse:
        socket = await self.session.ws_connect(self.url + STREAM_PATH)
        challenge = await socket.receive_json(timeout=5)
        proof = StreamProof(self.device, nonce or challenge["nonce"])
        envelope = dsse.sign(dsse.STREAM_TYPE, msgspec.json.encode(proof), self.key)
        hello = Hello(dsse.encode(envelope).decode(), "0.1.0", policy_version)
        await socket.send_str(msgspec.json.encode(hello).decode())
        return socket


def receipt(raw: bytes) -> Receipt:
    return msgspec.json.decode(dsse.payload_bytes(dsse.decode(raw)), type=Receipt)


def problem(raw: bytes) -> Problem:
    return msgspec.json.decode(raw, type=Problem)


class Done(msgspec.Struct, frozen=True):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def run(*arguments: str) -> Done:
    """Run the command line inside this process, as its entry point does."""
    out, errors = io.StringIO(), io.StringIO()
    i18n._current.cache_clear()
    code = 0
    with (
        mock.patch.dict(os.environ, {"ABIDE_LANG": "en", "NO_COLOR": "1"}),
        mock.patch.object(sys, "argv", ["abide-server", *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(errors),
    ):
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    i18n._current.cache_clear()
    return Done(code, out.getvalue(), errors.getvalue())


def run_program(*arguments: str) -> Done:
    """Run the installed program in its own process."""
    environment = os.environ | {"ABIDE_LANG": "en", "NO_COLOR": "1"}
    done = subprocess.run([str(PROGRAM), *arguments], capture_output=True, text=True, timeout=60, env=environment)
    return Done(done.returncode, done.stdout, done.stderr)


class Process:
    """A real `abide-server serve`, listening when the constructor returns."""

    def __init__(self, data: Path, *options: str) -> None:
        arguments = [str(PROGRAM), "serve", "--data", str(data), "--json", *options]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if self.process.stdout is None:
            raise ValueError("no output")
        line = self.process.stdout.readline()
        if not line:
            raise ValueError(self.process.communicate()[1])
        self.url: str = json.loads(line)["listening"]

    def end(self, *, kill: bool = False) -> tuple[int, str]:
        if kill:
            self.process.kill()
        else:
            self.process.terminate()
        _, errors = self.process.communicate(timeout=20)
        return self.process.returncode, errors
