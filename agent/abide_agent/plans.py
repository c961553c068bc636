"""Plans: the release compiled for this account's browsers, signed with the device key."""

from __future__ import annotations

import asyncio

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abide_agent.browsers.codec import MAX_FRAME_DOWN_BYTES, encode_frame
from abide_agent.browsers.messages import PlanMessage
from abide_rules import envelope as dsse
from abide_rules.errors import TooLargeError
from abide_rules.events import Period
from abide_rules.people import Person
from abide_rules.plan import Span, compile_plan, encode_plan
from abide_rules.policy import Release


class Compiled(msgspec.Struct, frozen=True):
    """A signed plan as the frame that goes to browsers, and what it was made from (times in ms)."""

    frame: bytes
    version: int
    person: Person
    compiled_ms: int
    timeline: tuple[Span, ...]

    def period(self, at_ms: int) -> Period:
        """Return whether ``at_ms`` is working or free time; before the first span as in it."""
        return next((span.period for span in reversed(self.timeline) if span.start <= at_ms), self.timeline[0].period)


async def compile_signed(release: Release, person: Person, now_ms: int, key: Ed25519PrivateKey) -> Compiled:
    """Compile and sign in a thread. Raises TooLargeError when browsers would refuse the result, or PolicyError."""
    return await asyncio.to_thread(_compile, release, person, now_ms, key)


def _compile(release: Release, person: Person, now_ms: int, key: Ed25519PrivateKey) -> Compiled:
    plan = compile_plan(release, person, now_ms)
    payload = encode_plan(plan)
    frame = encode_frame(PlanMessage(envelope=dsse.sign(dsse.PLAN_TYPE, payload, key)))
    if len(frame) > MAX_FRAME_DOWN_BYTES:
        raise TooLargeError(f"the plan has {len(frame)} bytes, browsers take {MAX_FRAME_DOWN_BYTES}")
    return Compiled(frame, release.version, person, now_ms, plan.timeline)
