"""The doctor: what the daemon says is wrong, and what can only be tested from here, each with what to do next."""

from __future__ import annotations

import asyncio
import email.utils

import msgspec

from abide_agent import install, platform
from abide_agent.config import Config
from abide_agent.health import NoAnswer, Snapshot
from abide_agent.identity import Identity, is_enrolled, load_device, load_identity
from abide_agent.manifests import broken
from abide_agent.problems import MAX_CLOCK_ERROR_MS
from abide_agent.transport import Transport
from abide_agent.trouble import code_of
from abide_rules.errors import AbideError, ConfigurationError
from abide_rules.i18n import _
from abide_rules.problems import Problem, advise, answers

LOW_DISK_BYTES = 256 * 1024 * 1024


class Check(msgspec.Struct, frozen=True):
    """One check: ``code`` is the problem that was found, else empty; ``why`` and ``next_step`` are for people."""

    name: str
    ok: bool
    why: str = ""
    next_step: str = ""
    code: str = ""


def problems_here(config: Config, answer: Snapshot | NoAnswer) -> tuple[Problem, ...]:
    """Return what is wrong, also when no daemon answers."""
    if isinstance(answer, Snapshot):
        return answer.problems
    if answer.code == "agent/not-running" and (problem := _enrolment_problem(config)) is not None:
        return (problem,)
    return (Problem(answer.code, detail=answer.detail),)


def examine(config: Config, answer: Snapshot | NoAnswer) -> list[Check]:
    """Return every check in the order in which they depend on each other."""
    checks = [_enrolled(config), *_server(config), _running(answer)]
    if isinstance(answer, Snapshot):
        for question, found in answers(answer.problems).items():
            checks += [_failed(question, problem.code, problem.detail) for problem in found] or [Check(question, True)]
    is_said = any(check.code == "block/manifest" for check in checks)
    return [*checks, _disk(config), *([] if is_said else [_manifests(config)])]


def _failed(name: str, code: str, detail: str) -> Check:
    advice = advise(code)
    return Check(name, False, f"{advice.what} ({detail})" if detail else advice.what, advice.step, code)


def _enrolment_problem(config: Config) -> Problem | None:
    try:
        load_device(config)
    except ConfigurationError as error:
        return Problem("agent/identity-damaged" if is_enrolled(config) else "agent/not-enrolled", detail=str(error))
    except PermissionError as error:
        return Problem("agent/not-yours", detail=str(error))
    return None


def _enrolled(config: Config) -> Check:
    problem = _enrolment_problem(config)
    return Check("enrolled", True) if problem is None else _failed("enrolled", problem.code, problem.detail)


def _server(config: Config) -> list[Check]:
    """Reach the server over its pinned TLS, and compare its clock with this computer's."""
    try:
        identity = load_identity(config)
        date = asyncio.run(_reach(identity))
    except (ConfigurationError, PermissionError):
        return []
    except AbideError as error:
        return [_failed("server", code_of(error), str(error))]
    return [Check("server", True, identity.server), *_clock(date)]


async def _reach(identity: Identity) -> str:
    async with Transport(identity.server, identity.ca) as transport:
        await transport.get("/healthz")
        return transport.date


def _clock(date: str) -> list[Check]:
    try:
        server_ms = email.utils.parsedate_to_datetime(date).timestamp() * 1000
    except ValueError:
        return []
    ahead_ms = platform.wall_ms() - server_ms
    if abs(ahead_ms) > MAX_CLOCK_ERROR_MS:
        return [_failed("clock", "block/clock", f"{ahead_ms / 60_000:+.0f} min")]
    return [Check("clock", True)]


def _running(answer: Snapshot | NoAnswer) -> Check:
    if isinstance(answer, NoAnswer):
        return _failed("agent runs", answer.code, answer.detail)
    return Check("agent runs", True, f"pid {answer.pid}, {answer.agent_version}")


def _disk(config: Config) -> Check:
    folder = next(path for path in (config.state, *config.state.parents) if path.exists())
    free = platform.disk_free_bytes(folder)
    room = _("{count} MB free", count=free // 1_000_000)
    return _failed("disk", "record/disk-low", room) if 0 <= free < LOW_DISK_BYTES else Check("disk", True, room)


def _manifests(config: Config) -> Check:
    if why := broken(config):
        return _failed("native host", "block/manifest", why)
    count = sum(bool(item.sha256) for item in install.installed(config))
    if count == 0:
        return Check("native host", False, _("no browser knows the agent"), _("Run: abide-agent install"))
    return Check("native host", True, _("{count} files", count=count))
