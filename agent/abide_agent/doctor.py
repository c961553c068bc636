"""The doctor: checks from enrolment to browser, each with why it is not well and what to do next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from abide_agent import install
from abide_agent.config import Config
from abide_agent.health import Snapshot
from abide_agent.identity import load_device, load_identity
from abide_agent.transport import Transport
from abide_rules.errors import AbideError, ConfigurationError
from abide_rules.i18n import _


class Check(msgspec.Struct, frozen=True):
    """One check: ``why`` and ``next_step`` are for people and empty when there is nothing to say."""

    name: str
    ok: bool
    why: str = ""
    next_step: str = ""


def examine(config: Config, snapshot: Snapshot | None) -> list[Check]:
    """Return every check in the order in which they depend on each other."""
    checks = [
        _attempt("enrolled", lambda: load_identity(config).server),
        _attempt("device key", lambda: load_device(config)[0].device),
        _attempt("server", lambda: asyncio.run(_reach(config))),
        _running(snapshot),
    ]
    if snapshot is not None:
        checks += [_connection(snapshot), _policy(snapshot), _plan(snapshot), _spool(snapshot), _browsers(snapshot)]
    return [*checks, _manifests(config)]


def _attempt(name: str, action: Callable[[], str]) -> Check:
    try:
        return Check(name, True, action())
    except AbideError as error:
        return Check(name, False, str(error), error.advice)


async def _reach(config: Config) -> str:
    """Reach the server over its pinned TLS. Raises AbideError."""
    identity = load_identity(config)
    async with Transport(identity.server, identity.ca) as transport:
        await transport.get("/healthz")
    return identity.server


def _running(snapshot: Snapshot | None) -> Check:
    if snapshot is None:
        step = _("Start it: abide-agent run (or: abide-agent install, to start it at every login).")
        return Check("agent runs", False, _("no agent answers on its socket"), step)
    return Check("agent runs", True, f"pid {snapshot.pid}, {snapshot.agent_version}")


def _connection(snapshot: Snapshot) -> Check:
    step = _("It tries again by itself. If this lasts, ask your administrator whether this device was revoked.")
    return _unless("connected", snapshot.connection_problem, step, snapshot.server)


def _policy(snapshot: Snapshot) -> Check:
    if snapshot.policy_version == 0:
        why = snapshot.policy_problem or _("no policy was received yet")
        return Check("policy", False, why, _("Check the connection; ask your administrator to publish a policy."))
    why = snapshot.stale or snapshot.policy_problem or snapshot.people_problem
    step = _("The last good policy stays in force. Check the connection and this computer's date.")
    return _unless("policy", why, step, _("version {version}", version=snapshot.policy_version))


def _plan(snapshot: Snapshot) -> Check:
    step = _("The last good plan stays in force. Tell your administrator.")
    is_behind = snapshot.plan_version != snapshot.policy_version
    why = snapshot.plan_problem or (_("the newest policy is not compiled") if is_behind else "")
    return _unless("plan", why, step, _("version {version}", version=snapshot.plan_version))


def _spool(snapshot: Snapshot) -> Check:
    why = snapshot.uplink_problem
    if snapshot.dropped:
        why = _("{count} observations found no room", count=snapshot.dropped)
    step = _("Events wait on this computer until the server confirms them. Check the connection and free disk space.")
    return _unless("events", why, step, _("{count} wait", count=snapshot.spooled))


def _browsers(snapshot: Snapshot) -> Check:
    if not snapshot.browsers:
        step = _("Open a browser that has the extension; run: abide-agent install")
        return Check("browsers", False, _("no browser is connected"), step)
    behind = [b.browser for b in snapshot.browsers if b.policy_version != snapshot.policy_version]
    names = ", ".join(f"{b.browser} {b.browser_version} ({b.policy_version})" for b in snapshot.browsers)
    why = _("not up to date: {names}", names=", ".join(behind)) if behind else ""
    return _unless("browsers", why, _("Wait a moment; else restart the browser."), names)


def _manifests(config: Config) -> Check:
    try:
        items = [item for item in install.installed(config) if item.sha256]
    except ConfigurationError as error:
        return Check("native host", False, str(error), error.advice)
    if not items:
        step = _("Run: abide-agent install")
        return Check("native host", False, _("no browser knows the agent"), step)
    missing = [item.path for item in items if not Path(item.path).exists()]
    why = _("missing: {paths}", paths=", ".join(missing)) if missing else ""
    return _unless("native host", why, _("Run: abide-agent install"), _("{count} files", count=len(items)))


def _unless(name: str, why: str, next_step: str, well: str) -> Check:
    return Check(name, False, why, next_step) if why else Check(name, True, well)
