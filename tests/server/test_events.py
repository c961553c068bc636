"""Events: stored exactly once, and every refusal says which one it is."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable

import pytest
from securesystemslib.dsse import Envelope as OtherEnvelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from abide_rules import envelope as dsse
from abide_rules.events import GENESIS
from abide_rules.wire import EVENTS_PATH, MAX_BATCH_BYTES, MAX_BATCH_EVENTS
from abide_server.keys import load_key
from abide_server.store.base import Act
from tests.server.conftest import House
from tests.server.house import Laptop, problem, receipt


def _swap_signature(laptop: Laptop) -> bytes:
    """A batch whose envelope carries a signature over something else."""
    first, _, body = laptop.batch().partition(b"\n")
    envelope = json.loads(first)
    envelope["signatures"][0]["sig"] = base64.b64encode(laptop.key.sign(b"else")).decode()
    return json.dumps(envelope).encode() + b"\n" + body


def _other_type(laptop: Laptop) -> bytes:
    """A batch signed as a receipt."""
    first, _, body = laptop.batch().partition(b"\n")
    payload = dsse.payload_bytes(dsse.decode(first))
    return dsse.encode(dsse.sign(dsse.RECEIPT_TYPE, payload, laptop.key)) + b"\n" + body


def _foreign_key(laptop: Laptop) -> bytes:
    """A batch in the name of the device, signed with another key."""
    thief = Laptop(laptop.session, laptop.url)
    thief.device = laptop.device
    return thief.batch()


CASES: dict[str, tuple[Callable[[Laptop], bytes], int, str]] = {
    "no envelope at all": (lambda _: b"hello", 400, "bad-json"),
    "nothing": (lambda _: b"", 400, "bad-json"),
    "bytes that are not UTF-8": (lambda one: one.batch().replace(b"p-1", b"\xff\xff\xff"), 400, "bad-json"),
    "an event that was changed": (lambda one: one.batch().replace(b"block", b"allow"), 400, "bad-json"),
    "an event with a field that does not exist": (lambda one: one.batch() + b"{}", 400, "bad-json"),
    "an event that is missing": (lambda one: one.batch().rpartition(b"\n")[0], 400, "bad-json"),
    "a signature over something else": (_swap_signature, 401, "bad-signature"),
    "a signature as another type": (_other_type, 401, "bad-signature"),
    "a signature by another key": (_foreign_key, 401, "bad-signature"),
    "a device that is not enrolled": (lambda one: Laptop(one.session, one.url).batch(), 401, "unknown-device"),
    "more bytes than allowed": (lambda _: b"x" * (MAX_BATCH_BYTES + 1), 413, "too-large"),
    "more events than allowed": (lambda one: one.batch(MAX_BATCH_EVENTS + 1), 413, "too-large"),
    "a batch that starts later than expected": (lambda one: one.batch(first=5), 409, "gap"),
    "a batch that starts with another hash": (lambda one: one.batch(prev="1" * 64), 409, "fork"),
    "a batch that overlaps what is stored": (lambda one: one.batch(9, first=1, prev=GENESIS), 409, "fork"),
    "a stored range with another content": (
        lambda one: one.batch(2, first=1, prev=GENESIS, host="other.example"),
        409,
        "fork",
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_a_batch_is_refused_with_its_own_problem(name: str, house: House) -> None:
    make, status, kind = CASES[name]
    laptop = await house.laptop()
    await laptop.send(2)
    got, answer = await laptop.post(make(laptop))
    assert (got, problem(answer).type) == (status, f"urn:abide:{kind}")
    assert await house.store.count_events() == 2


async def test_a_gap_says_which_event_is_expected(house: House) -> None:
    laptop = await house.laptop()
    await laptop.send(2)
    _, answer = await laptop.post(laptop.batch(first=7))
    assert problem(answer).expected_seq == 3


async def test_a_batch_without_its_media_type_is_refused(house: House) -> None:
    laptop = await house.laptop()
    status, answer = await laptop.post(laptop.batch(), "application/json")
    assert (status, problem(answer).type) == (415, "urn:abide:not-acceptable")


async def test_a_body_that_never_ends_is_cut_off_at_the_limit(house: House) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(house.url.rpartition(":")[2]))
    writer.write(b"POST %s HTTP/1.1\r\nHost: localhost\r\n" % EVENTS_PATH.encode())
    writer.write(b"Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n")
    writer.write(b"%x\r\n%s\r\n" % (MAX_BATCH_BYTES + 1, b"x" * (MAX_BATCH_BYTES + 1)))
    async with asyncio.timeout(10):
        assert (await reader.readline()).startswith(b"HTTP/1.1 413")
    writer.close()


async def test_a_revoked_device_is_refused_at_once(house: House) -> None:
    laptop = await house.laptop()
    await laptop.send()
    await house.store.revoke(laptop.device, Act(house.clock.now, "admin", "revoke", laptop.device))
    status, answer = await laptop.post(laptop.batch())
    assert (status, problem(answer).type) == (403, "urn:abide:revoked-device")


async def test_the_same_batch_again_gets_the_same_receipt_and_is_stored_once(house: House) -> None:
    laptop = await house.laptop()
    raw = laptop.batch(4)
    first = await laptop.post(raw)
    house.clock.now += 60_000
    assert await laptop.post(raw) == first
    assert receipt(first[1]).last_seq == 4
    assert await house.store.count_events() == 4


async def test_an_old_batch_gets_the_receipt_of_where_the_chain_stands(house: House) -> None:
    laptop = await house.laptop()
    old = laptop.batch(2)
    await laptop.send(2)
    newest = await laptop.send(5)
    status, answer = await laptop.post(old)
    assert (status, receipt(answer)) == (200, newest)


async def test_twenty_copies_sent_at_once_are_stored_once(house: House) -> None:
    laptop = await house.laptop()
    raw = laptop.batch(3)
    answers = await asyncio.gather(*(laptop.post(raw) for _ in range(20)))
    assert {status for status, _ in answers} == {200}
    assert {receipt(answer).last_seq for _, answer in answers} == {3}
    assert await house.store.count_events() == 3


async def test_another_library_verifies_the_stored_batch_and_the_receipt(house: House) -> None:
    laptop = await house.laptop()
    _, answer = await laptop.post(laptop.batch(3))
    stored = [batch async for batch in house.store.batches()]
    device = SSlibKey.from_crypto(laptop.key.public_key(), dsse.key_id(laptop.public))
    batch = OtherEnvelope.from_dict(json.loads(stored[0].raw.partition(b"\n")[0]))
    assert batch.verify([device], 1)
    public = load_key(house.data.receipt_key).public_key()
    server = SSlibKey.from_crypto(public, dsse.key_id(public.public_bytes_raw()))
    theirs = OtherEnvelope.from_dict(json.loads(answer))
    assert theirs.verify([server], 1)
    theirs.payload = theirs.payload.replace(b'"last_seq":3', b'"last_seq":4')
    with pytest.raises(VerificationError):
        theirs.verify([server], 1)


async def test_events_are_searchable_and_the_exact_bytes_are_kept(house: House) -> None:
    laptop = await house.laptop()
    raw = laptop.batch(2)
    await laptop.post(raw)
    rows = await house.store.latest_events(10)
    assert [(row.seq, row.service, row.verdict, row.clause) for row in rows] == [
        (2, "chatgpt", "block", "BUS-1"),
        (1, "chatgpt", "block", "BUS-1"),
    ]
    assert [batch.raw async for batch in house.store.batches()] == [raw]
