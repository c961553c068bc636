"""``abide-policy classify``: which service is a URL a use of?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from abide_rules import catalogue
from abide_rules.catalogue import Match
from abide_rules.cli.output import JsonFlag
from abide_rules.i18n import _

CHUNK_BYTES = 65_536


class Answer(msgspec.Struct):
    """One line of ``--json`` (stable names)."""

    input: str
    service: str | None
    category: str | None
    vendor: str | None


def classify(json: JsonFlag = False) -> None:
    """Read URLs or hosts from standard input, one a line, and say which AI service each is a use of."""
    match = catalogue.load().classify
    encode = msgspec.json.Encoder().encode
    output = sys.stdout.buffer
    for urls in _as_they_come(sys.stdin.buffer):
        if json:
            lines = [encode(Answer(url, *match(url))) for url in urls]
        else:
            lines = [_sentence(url, match(url)).encode() for url in urls]
        output.write(b"".join(line + b"\n" for line in lines))
        output.flush()


def _as_they_come(stream: BinaryIO) -> Iterator[list[str]]:
    """Yield the lines that are there, many at once from a file, one by one from a person; empty ones are left out."""
    rest = b""
    while chunk := stream.read1(CHUNK_BYTES):  # type: ignore[attr-defined]
        *lines, rest = (rest + chunk).split(b"\n")
        yield [text for line in lines if (text := line.decode(errors="replace").strip())]
    if last := rest.decode(errors="replace").strip():
        yield [last]


def _sentence(url: str, match: Match) -> str:
    if match.service:
        return f"{url}\t{match.service}\t{match.category}"
    if match.vendor:
        return f"{url}\t" + _("no use of AI (a page of {vendor})", vendor=match.vendor)
    return f"{url}\t" + _("no AI service")
