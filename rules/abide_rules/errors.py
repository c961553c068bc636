"""Every error of the project, named by who is at fault.

::

    AbideError                  advice says what the person can do next
    ├── BadDataError            the other side's data is wrong; retrying the same bytes cannot help
    │   ├── PolicyError         a policy file does not say what it must (has positions)
    │   ├── CatalogueError      the catalogue of services contradicts itself
    │   ├── SignatureError      a signature is missing, by an unknown key, or does not match
    │   ├── MalformedError      bytes that do not parse as what they claim to be
    │   ├── TooLargeError       over a limit of abide_rules.wire
    │   ├── GapError            a batch does not continue the chain: events are missing before it
    │   └── ForkError           a batch contradicts what was accepted before under the same numbers
    ├── TransportError          nobody is known to be at fault; keep and retry
    └── ConfigurationError      this installation is set up wrongly; a person must act
"""

from __future__ import annotations

import msgspec


class AbideError(Exception):
    """Base of all errors; ``advice`` is one sentence that says what to do next, or empty.

    ``code`` names the problem (see :mod:`abide_rules.problems`) where whoever raises it knows more than the class says.
    """

    def __init__(self, message: str, *, advice: str = "", code: str = "") -> None:
        super().__init__(message)
        self.advice = advice
        self.code = code


class BadDataError(AbideError):
    """The other side's data is wrong; retrying the same bytes cannot help."""


class CatalogueError(BadDataError):
    """The catalogue of services contradicts itself."""


class SignatureError(BadDataError):
    """A signature is missing, by an unknown key, or does not match."""


class MalformedError(BadDataError):
    """Bytes that do not parse as what they claim to be."""


class TooLargeError(BadDataError):
    """Over a limit of :mod:`abide_rules.wire`."""


class GapError(BadDataError):
    """A batch does not continue the chain: events are missing before it.

    ``expected_seq`` is the sequence number that the receiver waits for.
    """

    def __init__(self, message: str, *, expected_seq: int, advice: str = "") -> None:
        super().__init__(message, advice=advice)
        self.expected_seq = expected_seq


class ForkError(BadDataError):
    """A batch contradicts what was accepted before under the same sequence numbers."""


class TransportError(AbideError):
    """Nobody is known to be at fault (network down, server busy): keep the data and retry."""


class ConfigurationError(AbideError):
    """This installation is set up wrongly; a person must act."""


class Mistake(msgspec.Struct, frozen=True):
    """One thing that is wrong in a file: where (1-based line and column) and what to write instead."""

    line: int
    column: int
    message: str
    advice: str = ""

    def __str__(self) -> str:
        tail = f" {self.advice}" if self.advice else ""
        return f"{self.line}:{self.column}: {self.message}{tail}"


class PolicyError(BadDataError):
    """A policy or people file does not say what it must; carries every mistake found, in file order."""

    def __init__(self, name: str, mistakes: tuple[Mistake, ...]) -> None:
        super().__init__("\n".join(f"{name}:{m}" for m in mistakes))
        self.name = name
        self.mistakes = mistakes
