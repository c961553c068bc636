"""What can be wrong with a laptop, by stable codes: which question a problem answers, what it is, and what to do next.

Three questions are asked of every agent: is it *syncing* with its server, is it *blocking*, is it *recording*? Agent,
popup and server page carry codes; the texts are put into the reader's language where they are read. Whoever sits at the
laptop and whoever runs the server get different next steps where they can do different things.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from abide_rules.i18n import language, translations

Question = Literal["sync", "block", "record"]
QUESTIONS: tuple[Question, ...] = ("sync", "block", "record")


def N_(text: str) -> str:  # noqa: N802 (the name by which texts are collected for translation)
    """Mark a text for translation."""
    return text


class Kind(msgspec.Struct, frozen=True):
    """One thing that can be wrong: the questions whose answer it makes *no*, the text, and the next step.

    ``admin`` is the next step of whoever runs the server, when it is another one. ``normal``: it is no fault by itself.
    """

    code: str
    stops: tuple[Question, ...]
    what: str
    step: str
    admin: str = ""
    normal: bool = False


_ALL = QUESTIONS
_SYNC: tuple[Question, ...] = ("sync",)
_BLOCK: tuple[Question, ...] = ("block",)
_RECORD: tuple[Question, ...] = ("record",)

KINDS = (
    Kind(
        "agent/not-enrolled", _ALL,
        N_("This device is not enrolled with a server."),
        N_("Ask your administrator for a token, then run: abide-agent enroll TOKEN"),
    ),
    Kind(
        "agent/identity-damaged", _ALL,
        N_("The device's key or identity cannot be used."),
        N_("Restore the file from a backup, or delete the state directory and enrol again."),
    ),
    Kind(
        "agent/not-yours", _ALL,
        N_("The agent belongs to another account, which alone may ask it."),
        N_("Run this command as that account."),
    ),
    Kind(
        "agent/not-running", _ALL,
        N_("The agent does not run. Browsers keep the last policy that they got, and what is to be recorded."),
        N_("Start it: abide-agent run (or: abide-agent install, to start it at every login)."),
    ),
    Kind(
        "agent/hangs", _ALL,
        N_("The agent runs but does not answer."),
        N_("Stop it and start it again: abide-agent run"),
    ),
    Kind(
        "record/disk-full", _RECORD,
        N_("The disk is full; new events find no room."),
        N_("Free disk space. What found no room is counted, and the count is reported."),
    ),
    Kind(
        "record/broken", _RECORD,
        N_("The file of events cannot be written."),
        N_("Check the disk and who may write the agent's state directory; then start the agent again."),
    ),
    Kind(
        "record/spool-full", _RECORD,
        N_("The room for events is used up; new ones are only counted."),
        N_("Make the agent reach its server again: what the server has confirmed makes room."),
    ),
    Kind(
        "record/disk-low", (),
        N_("Little disk space is left for events."),
        N_("Free disk space before it is used up."),
    ),
    Kind(
        "block/no-policy", _BLOCK,
        N_("The agent holds no policy; it can give browsers none."),
        N_("Check the connection to the server; ask your administrator whether a policy is published."),
        N_("Publish a policy: abide-server publish FILE"),
    ),
    Kind(
        "block/policy-damaged", _BLOCK,
        N_("The policy kept on this computer was damaged or changed, and is not used."),
        N_("It is fetched again by itself when the server is reached. Tell your administrator if it happens again."),
        N_("It is fetched again by itself. If it happens again, look who writes on that computer's disk."),
    ),
    Kind(
        "block/not-compiled", _BLOCK,
        N_("The newest policy cannot be compiled; the last good plan stays in force."),
        N_("Tell your administrator."),
        N_("Check the policy and publish it again: abide-policy check FILE"),
    ),
    Kind(
        "block/plan-refused", _BLOCK,
        N_("A browser refused the plan that the agent brought; it keeps the one that it trusts."),
        N_("Tell your administrator: the browser expects another device key than this agent's."),
        N_("Set device_key in the browser's managed configuration to this device's key."),
    ),
    Kind(
        "block/older-version", _BLOCK,
        N_("A browser enforces another version of the policy than the newest."),
        N_("Restart that browser. If this lasts, tell your administrator."),
        N_("Have that browser restarted; look whether its extension is the newest."),
    ),
    Kind(
        "block/manifest", _BLOCK,
        N_("Browsers cannot start the agent's native host: its files are missing or were changed."),
        N_("Run: abide-agent install --replace"),
    ),
    Kind(
        "block/unguarded", (),
        N_("Something that the agent rests on cannot be guarded against changes, or cannot be restored."),
        N_("Check the disk and who may write the agent's files; then start the agent again."),
        N_("Look at what is named here: who may write it, and whether that computer's disk is full."),
    ),
    Kind(
        "block/clock", _BLOCK,
        N_("This computer's clock is wrong; browsers may take free time for working time, or the reverse."),
        N_("Let the computer set its clock from the network."),
    ),
    Kind(
        "block/no-browser", _BLOCK,
        N_("No browser with the extension is connected to the agent."),
        N_("Open a browser that has the extension. If one is open: abide-agent install, then restart it."),
        normal=True,
    ),
    Kind(
        "sync/revoked", _SYNC,
        N_("The server has revoked this device."),
        N_("Ask your administrator why. To enrol again, use a new --state."),
        N_("If that was a mistake, hand out a new token: abide-server token"),
    ),
    Kind(
        "sync/unknown-device", _SYNC,
        N_("The server does not know this device."),
        N_("Ask your administrator whether the server was set up anew. The device's key is kept."),
        N_("Restore the server's data, or hand out a new token: abide-server token"),
    ),
    Kind(
        "sync/unauthorized", _SYNC,
        N_("The server refuses this device's signature."),
        N_("The key is kept and the agent goes on trying. If this lasts, tell your administrator."),
        N_("Look in the server's log; a proxy in front of it may ask for a log-in."),
    ),
    Kind(
        "sync/tls", _SYNC,
        N_("The server's certificate is not trusted."),
        N_("Check this computer's date. If it is right, tell your administrator: somebody may stand in between."),
        N_("Check the certificate; after a change of the authority, devices need new tokens."),
    ),
    Kind(
        "sync/portal", _SYNC,
        N_("Something else answers in the server's place: a log-in page of the network, or a proxy."),
        N_("Open any page in a browser and log in to the network."),
    ),
    Kind(
        "sync/dns", _SYNC,
        N_("The server's name cannot be found."),
        N_("Check this computer's network connection."),
    ),
    Kind(
        "sync/refused", _SYNC,
        N_("No server answers at the address."),
        N_("Ask your administrator whether the server runs."),
        N_("Start the server: abide-server serve"),
    ),
    Kind(
        "sync/timeout", _SYNC,
        N_("The server does not answer in time."),
        N_("Check the network connection; a firewall may swallow the answers."),
    ),
    Kind(
        "sync/server-error", _SYNC,
        N_("The server reports a fault of its own."),
        N_("The agent goes on trying. If this lasts, tell your administrator."),
        N_("Look in the server's log."),
    ),
    Kind(
        "sync/rejected", _SYNC,
        N_("The server does not accept what the agent asks."),
        N_("The agent goes on trying. If this lasts, tell your administrator."),
        N_("Look whether server and agents have versions that fit, and what stands between them."),
    ),
    Kind(
        "sync/replaced", _SYNC,
        N_("Another agent with this device's key has taken its place."),
        N_("Two installations share one key: enrol one of them again with a new --state."),
    ),
    Kind(
        "sync/forged", _SYNC,
        N_("What the server sends is not signed by the trusted keys. It is not used."),
        N_("Tell your administrator: somebody may stand between this computer and the server."),
        N_("Check the server's update repository and keys; somebody may stand in between."),
    ),
    Kind(
        "sync/rolled-back", _SYNC,
        N_("The server offers older updates than this device has seen. They are not used."),
        N_("Tell your administrator: the server may have been restored from an old backup."),
        N_("After a restored backup, publish until the version is higher than before."),
    ),
    Kind(
        "sync/expired", _SYNC,
        N_("The signatures of the newest updates have expired; the last good policy stays in force."),
        N_("Check this computer's date; then tell your administrator."),
        N_("The running server renews them by itself if it has the keys: abide-server status"),
    ),
    Kind(
        "sync/nonsense", _SYNC,
        N_("The server's answers are cut short or make no sense."),
        N_("The agent goes on trying. If this lasts, tell your administrator."),
        N_("Look whether server and agents have versions that fit, and what stands between them."),
    ),
    Kind(
        "sync/no-release", _SYNC,
        N_("The server has published no policy yet."),
        N_("Ask your administrator to publish one."),
        N_("Publish a policy: abide-server publish FILE"),
    ),
    Kind(
        "sync/fork", _SYNC,
        N_("The server has other events under the numbers of this device's."),
        N_("This computer's state was copied or restored: enrol again with a new --state."),
    ),
    Kind(
        "sync/gap", _SYNC,
        N_("The server asks for events that this device does not have."),
        N_("Tell your administrator: the server may have been restored from a backup that is too old."),
        N_("Restore a newer backup; else enrol the device again with a new --state."),
    ),
    Kind(
        "sync/disk", _SYNC,
        N_("What the server sends cannot be kept on this computer."),
        N_("Free disk space, and check who may write the agent's state directory."),
    ),
    Kind(
        "sync/people", _SYNC,
        N_("The list of people cannot be had; the last good one is used."),
        N_("Tell your administrator."),
        N_("Check the people file and publish it again: abide-server people FILE"),
    ),
    Kind(
        "sync/stale", _SYNC,
        N_("The server has not confirmed the policy for more than a day; it stays in force."),
        N_("Connect this computer to a network from which the server can be reached."),
    ),
    Kind(
        "sync/unreachable", _SYNC,
        N_("The server cannot be reached."),
        N_("Check this computer's network connection; the agent goes on trying."),
    ),
    Kind(
        "sync/connecting", _SYNC,
        N_("The agent has not reached its server yet."),
        N_("Wait a moment and ask again."),
        normal=True,
    ),
)  # fmt: skip
"""Every kind of problem, the most urgent first."""

BY_CODE = {kind.code: kind for kind in KINDS}
_UNKNOWN = Kind(
    "",
    (),
    N_("A problem that this version does not know."),
    N_("Update Abide, or ask with: abide-agent doctor"),
)


def kind_of(code: str) -> Kind:
    """Return what is known about a code; a newer agent may have codes that nothing is known about."""
    return BY_CODE.get(code, _UNKNOWN)


class Problem(msgspec.Struct, frozen=True):
    """Something that is wrong now: since when (ms, 0 = not known), and in technical words why (English, may be empty).

    ``times`` is how often it was tried in vain, ``retry_ms`` when it is tried again; 0 where that means nothing.
    """

    code: str
    since_ms: int = 0
    detail: str = ""
    times: int = 0
    retry_ms: int = 0

    @property
    def kind(self) -> Kind:
        """What is known about its code."""
        return kind_of(self.code)


class Advice(msgspec.Struct, frozen=True):
    """A problem for a reader: what is wrong and what to do next."""

    what: str
    step: str


def advise(code: str, lang: str = "", *, admin: bool = False) -> Advice:
    """Return the texts of a code in ``lang`` (empty: this process's language), for the administrator if ``admin``."""
    kind = kind_of(code)
    text = translations(lang or language()).gettext
    what = text(kind.what) + ("" if kind.code else f" ({code})")
    return Advice(what, text(kind.admin if admin and kind.admin else kind.step))


def in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    """Return problems by urgency, each code once (the one that has lasted longest)."""
    oldest: dict[str, Problem] = {}
    for problem in sorted(problems, key=lambda p: p.since_ms):
        oldest.setdefault(problem.code, problem)
    return tuple(oldest[code] for code in BY_CODE if code in oldest)


def answers(problems: tuple[Problem, ...]) -> dict[Question, tuple[Problem, ...]]:
    """Return, for each question, the problems that make its answer *no*."""
    return {question: tuple(p for p in problems if question in p.kind.stops) for question in QUESTIONS}
