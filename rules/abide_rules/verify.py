"""The proof of an export: every signature, every chain, every receipt, offline.

What it shows: each device's events are complete from the first to the last one exported and unchanged since the device
signed them, and the server acknowledged them. What it cannot show: that the last exported event was the last there is.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

import msgspec

from abide_rules import envelope as dsse
from abide_rules.errors import ForkError, MalformedError, SignatureError
from abide_rules.events import GENESIS, BatchHeader, Receipt, check_follows, parse_batch
from abide_rules.export import BatchLine, DeviceLine, ExportLine, Line, ServerLine
from abide_rules.wire import EnrolmentProof

_line: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


class Report(msgspec.Struct, frozen=True):
    """What was proven: how much, and under which receipt key (base64)."""

    devices: int
    batches: int
    events: int
    receipt_key: str

    @property
    def counts(self) -> dict[str, int]:
        """The three numbers by name."""
        return {"devices": self.devices, "batches": self.batches, "events": self.events}


class _Chain:
    """Where one device's chain stands."""

    def __init__(self, public: bytes) -> None:
        self.keys = {dsse.key_id(public): public}
        self.next_seq, self.head = 1, GENESIS


def verify_export(lines: Iterable[bytes], receipt_key: str = "") -> Report:
    """Return what an export proves. ``receipt_key`` (base64), when given, replaces the one in the export.

    Raises MalformedError, SignatureError, GapError or ForkError naming the line.
    """
    server: dict[str, bytes] = {}
    chains: dict[str, _Chain] = {}
    batches = events = 0
    used_key = receipt_key
    for number, raw in enumerate(lines, 1):
        line = _parse(raw, number)
        _check_place(line, number)
        match line:
            case ServerLine():
                used_key = receipt_key or line.receipt_key
                public = _key(used_key)
                server = {dsse.key_id(public): public}
            case DeviceLine():
                chains[line.device] = _device(line)
            case BatchLine():
                header = _batch(line, chains, server, number)
                batches, events = batches + 1, events + header.count
            case ExportLine():
                pass
    if not server:
        raise MalformedError("the export names no server", advice="Export again: the file is cut off.")
    return Report(len(chains), batches, events, used_key)


def _parse(raw: bytes, number: int) -> Line:
    try:
        return _line.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedError(f"line {number} is no line of an export: {error}") from error


def _check_place(line: Line, number: int) -> None:
    if (number == 1) != isinstance(line, ExportLine):
        raise MalformedError(f"line {number}: an export begins with its own line, once")


def _device(line: DeviceLine) -> _Chain:
    public = _key(line.public_key)
    if dsse.device_id(public) != line.device:
        raise SignatureError(f"{line.device}: its public key belongs to another device")
    chain = _Chain(public)
    proof = dsse.verify(line.proof, dsse.ENROLMENT_TYPE, chain.keys)
    try:
        named = msgspec.json.decode(proof, type=EnrolmentProof).public_key
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MalformedError(f"{line.device}: not an enrolment: {error}") from error
    if _key(named) != public:
        raise SignatureError(f"{line.device}: its enrolment names another key")
    return chain


def _batch(line: BatchLine, chains: dict[str, _Chain], server: dict[str, bytes], number: int) -> BatchHeader:
    batch = parse_batch(line.batch.encode())
    chain = chains.get(batch.header.device)
    if chain is None:
        raise SignatureError(f"line {number}: events of a device that the export does not introduce")
    dsse.verify(batch.envelope, dsse.BATCH_TYPE, chain.keys)
    if not check_follows(batch.header, chain.next_seq, chain.head):
        raise ForkError(f"line {number}: events up to {batch.header.last_seq} are there twice")
    chain.next_seq, chain.head = batch.header.last_seq + 1, batch.header.head
    receipt = msgspec.json.decode(dsse.verify(line.receipt, dsse.RECEIPT_TYPE, server), type=Receipt)
    if (receipt.device, receipt.head) != (batch.header.device, batch.header.head):
        raise SignatureError(f"line {number}: the receipt is for other events")
    return batch.header


def _key(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError("a public key is not base64") from error
    if len(raw) != 32:
        raise MalformedError(f"a public key has 32 bytes, this one {len(raw)}")
    return raw
