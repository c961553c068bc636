"""Enrolment: what a token may and may not do, and what a laptop believes of the answer."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from aiohttp import web

from abide_agent.config import Config
from abide_agent.enrolment import enrol, parse_token
from abide_agent.identity import Identity, is_enrolled, load_device, load_identity
from abide_rules.errors import AbideError, BadDataError, ConfigurationError, MalformedError
from abide_rules.wire import EnrolResponse
from tests.agent.extension import token
from tests.agent.repository import Repository
from tests.agent.standin import StandIn, standin


def text_of(server: StandIn) -> str:
    return "abide1." + base64.urlsafe_b64encode(msgspec.json.encode(token(server))).decode()


async def test_enrolling_leaves_a_key_and_whom_to_trust(config: Config, server: StandIn) -> None:
    identity = await enrol(config, parse_token(text_of(server)), again=False)
    loaded, key = load_device(config)
    assert loaded == identity
    assert key.public_key().public_bytes_raw() == server.enrolled
    assert identity.root_sha256 == server.repository.root_sha256


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-9],
        lambda text: text.removeprefix("abide1."),
        lambda text: "abide2." + text.removeprefix("abide1."),
        lambda _text: "abide1.!!!!",
        lambda _text: "abide1." + base64.urlsafe_b64encode(b'{"url": 5}').decode(),
        lambda _text: "",
        lambda text: text + "A" * 20_000,
    ],
    ids=["cut off", "no prefix", "another version", "no base64", "wrong fields", "empty", "too long"],
)
def test_a_damaged_token_is_refused(spoil: Callable[[str], str], repository: Repository) -> None:
    with pytest.raises(MalformedError) as caught:
        parse_token(spoil(text_of(StandIn(repository, url="http://127.0.0.1:1"))))
    assert caught.value.advice


def test_line_breaks_of_a_mail_program_do_not_matter(repository: Repository) -> None:
    server = StandIn(repository, url="http://127.0.0.1:1")
    text = text_of(server)
    assert parse_token("\n" + text[:40] + "\r\n  " + text[40:] + "\n").url == server.url


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"expires": 1}, "expired"),
        ({"root_sha256": "0" * 64}, "trust root"),
        ({"url": "http://abide.example.org"}, "not encrypted"),
        ({"ca": "nonsense"}, "cannot be read"),
    ],
)
async def test_a_token_that_does_not_hold_enrols_nobody(
    changes: dict[str, Any], message: str, config: Config, server: StandIn
) -> None:
    with pytest.raises(AbideError, match=message):
        await enrol(config, token(server, **changes), again=False)
    assert not is_enrolled(config)


@pytest.mark.parametrize(
    "changes", [{"device": "dev-0"}, {"receipt_key": "AAAA"}, {"receipt_key": "é"}, {"root": "?"}, {"root": ""}]
)
async def test_an_answer_that_does_not_fit_is_not_believed(
    changes: dict[str, str], config: Config, server: StandIn
) -> None:
    right = EnrolResponse("dev-1", "A" * 44, base64.b64encode(server.repository.first_root).decode(), 1)
    wrong = msgspec.json.encode(msgspec.structs.replace(right, **changes))
    server.fault = lambda _r: web.Response(body=wrong)
    with pytest.raises(BadDataError):
        await enrol(config, token(server), again=False)
    assert not is_enrolled(config)


async def test_an_interrupted_enrolment_keeps_its_key(config: Config, server: StandIn) -> None:
    server.fault = lambda _r: web.Response(status=500)
    with pytest.raises(AbideError):
        await enrol(config, token(server), again=False)
    key = config.key.read_bytes()
    server.fault = None
    await enrol(config, token(server), again=False)
    assert config.key.read_bytes() == key


async def test_who_is_enrolled_stays_with_their_server(config: Config, server: StandIn) -> None:
    first = await enrol(config, token(server), again=False)
    with pytest.raises(ConfigurationError, match="already"):
        await enrol(config, token(server), again=False)
    async with standin(server.repository) as other:
        with pytest.raises(ConfigurationError, match="belongs to"):
            await enrol(config, token(other), again=True)
    again = await enrol(config, token(server, group="other"), again=True)
    assert (again.device, again.group) == (first.device, "other")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda c: c.identity.write_bytes(b"{}"),
        lambda c: c.identity.write_bytes(
            msgspec.json.encode(msgspec.structs.replace(_identity(c), root=b'{"other": "root"}'))
        ),
        lambda c: c.identity.write_bytes(msgspec.json.encode(msgspec.structs.replace(_identity(c), device="dev-x"))),
        lambda c: c.key.chmod(0o644),
        lambda c: c.key.unlink(),
        lambda c: c.key.write_bytes(b""),
        lambda c: c.identity.unlink(),
    ],
    ids=[
        "the identity is nonsense",
        "the root is another one",
        "the device is another one",
        "others can read the key",
        "the key is gone",
        "the key is empty",
        "the identity is gone",
    ],
)
async def test_a_spoiled_state_is_refused_with_advice(
    spoil: Callable[[Config], object], config: Config, server: StandIn
) -> None:
    await enrol(config, token(server), again=False)
    spoil(config)
    with pytest.raises(ConfigurationError) as caught:
        load_device(config)
    assert caught.value.advice


def _identity(config: Config) -> Identity:
    return load_identity(config)
