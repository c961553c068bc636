"""The export: NDJSON that proves itself offline, one typed line after the other.

First :class:`ExportLine`, then :class:`ServerLine`, one :class:`DeviceLine` per device and one :class:`BatchLine` per
stored batch, in order of ``first_seq`` within a device. A device's id follows from its public key, its enrolment proof is
signed with that key, its batches chain without gaps from the first event, and each receipt is signed by ``receipt_key``.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from abide_rules.envelope import Envelope


class ExportLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="export"):
    """The first line: the format's version and when the export was made (ms)."""

    v: Literal[1]
    exported: int


class ServerLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="server"):
    """The public key (base64, 32 bytes) under which the receipts verify."""

    receipt_key: str


class DeviceLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="device"):
    """A device: its public key (base64), when it enrolled (ms) and its signed EnrolmentProof."""

    device: str
    public_key: str
    enrolled: int
    proof: Envelope


class BatchLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="batch"):
    """A batch: the exact bytes that the device sent, as text, and the server's receipt for its last event."""

    batch: str
    receipt: Envelope


Line = ExportLine | ServerLine | DeviceLine | BatchLine


def encode(line: Line) -> bytes:
    """Return one line of an export, with its newline."""
    return msgspec.json.encode(line) + b"\n"
