"""Plans: the release compiled for the browsers of each person who uses this laptop, signed with the device key."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abide_agent.browsers.codec import MAX_FRAME_DOWN_BYTES, encode_frame
from abide_agent.browsers.messages import PlanMessage
from abide_rules import envelope as dsse
from abide_rules.errors import AbideError, TooLargeError
from abide_rules.events import Period
from abide_rules.people import Person
from abide_rules.plan import Span, compile_plan, encode_plan
from abide_rules.policy import Release

log = logging.getLogger(__name__)


class Compiled(msgspec.Struct, frozen=True):
    """A signed plan as the frame that goes to browsers, and what it was made from (times in ms)."""

    frame: bytes
    version: int
    compiled_ms: int
    timeline: tuple[Span, ...]

    def period(self, at_ms: int) -> Period:
        """Return whether ``at_ms`` is working or free time; before the first span as in it."""
        return next((span.period for span in reversed(self.timeline) if span.start <= at_ms), self.timeline[0].period)

    def until(self, at_ms: int) -> int:
        """Return when the period of ``at_ms`` ends (ms), 0 when the timeline does not say."""
        period = self.period(at_ms)
        return next((span.start for span in self.timeline if span.start > at_ms and span.period != period), 0)


class Plans:
    """The plans in force: one per person, made again when release, person or day changes. The last good one stays.

    ``problem`` says why the newest could not be made. One :meth:`refresh` at a time.
    """

    def __init__(self, key: Ed25519PrivateKey, recompile_after_s: float) -> None:
        self._key = key
        self._too_old_ms = recompile_after_s * 1000
        self._plans: dict[Person, Compiled] = {}
        self.problem = ""

    def of(self, person: Person) -> Compiled | None:
        """Return the plan of ``person``, None when none was made yet."""
        return self._plans.get(person)

    async def refresh(self, release: Release, persons: Collection[Person], now_ms: int) -> bool:
        """Make what is missing or outdated for ``persons`` and forget everybody else; say whether a plan is new."""
        kept = {person: plan for person, plan in self._plans.items() if person in persons}
        outdated = [person for person in persons if self._is_outdated(kept.get(person), release.version, now_ms)]
        if not outdated:
            return False
        try:
            kept |= {person: await compile_signed(release, person, now_ms, self._key) for person in outdated}
        except AbideError as error:
            self.problem = str(error)
            log.warning("release %d cannot be compiled: %s", release.version, error)
            return False
        self._plans, self.problem = kept, ""
        log.info("release %d compiled for %d of %d persons", release.version, len(outdated), len(kept))
        return True

    def _is_outdated(self, plan: Compiled | None, version: int, now_ms: int) -> bool:
        return plan is None or plan.version != version or not 0 <= now_ms - plan.compiled_ms <= self._too_old_ms


async def compile_signed(release: Release, person: Person, now_ms: int, key: Ed25519PrivateKey) -> Compiled:
    """Compile and sign in a thread. Raises TooLargeError when browsers would refuse the result, or PolicyError."""
    return await asyncio.to_thread(_compile, release, person, now_ms, key)


def _compile(release: Release, person: Person, now_ms: int, key: Ed25519PrivateKey) -> Compiled:
    plan = compile_plan(release, person, now_ms)
    payload = encode_plan(plan)
    frame = encode_frame(PlanMessage(envelope=dsse.sign(dsse.PLAN_TYPE, payload, key)))
    if len(frame) > MAX_FRAME_DOWN_BYTES:
        raise TooLargeError(f"the plan has {len(frame)} bytes, browsers take {MAX_FRAME_DOWN_BYTES}")
    return Compiled(frame, release.version, now_ms, plan.timeline)
