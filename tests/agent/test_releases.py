"""Rules down: what happens to the files on disk and to the policy in force when something is wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest
from aiohttp import web

from abide_agent.config import Config
from abide_agent.health import Snapshot
from tests.agent.extension import Extension, enrolled, running
from tests.agent.repository import DAY, Repository
from tests.agent.standin import StandIn, standin

DAMAGE: dict[str, Callable[[Config], object]] = {
    "the policy file is edited": lambda c: c.policy.write_bytes(c.policy.read_bytes().replace(b"A", b"B", 40)),
    "the policy file is cut off": lambda c: c.policy.write_bytes(c.policy.read_bytes()[:900]),
    "the policy file is deleted": lambda c: c.policy.unlink(),
    "the policy file is empty": lambda c: c.policy.write_bytes(b""),
}
CACHE_DAMAGE: dict[str, Callable[[Config], object]] = {
    "the client's cache is deleted": lambda c: shutil.rmtree(c.tuf),
    "the client's timestamp is edited": lambda c: (c.tuf / "timestamp.json").write_bytes(b"{}"),
    "the client's root history is edited": lambda c: (c.tuf / "root_history" / "1.root.json").write_bytes(b"{"),
    "the client's policy metadata is edited": lambda c: (c.tuf / "policy.json").write_bytes(b"[]"),
}


async def synced(config: Config, server: StandIn) -> None:
    async with enrolled(config, server):
        browser = await Extension.connect(config.socket)
        await browser.greet()
        await browser.receive("plan")
        await browser.close()


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
async def test_a_damaged_policy_is_not_enforced_and_says_why(
    damage: Callable[[Config], object], config: Config, repository: Repository
) -> None:
    async with standin(repository) as server:
        await synced(config, server)
    damage(config)
    async with running(config) as agent:
        snapshot = await agent.snapshot()
    assert isinstance(snapshot, Snapshot)
    assert (snapshot.policy_version, snapshot.plan_version, snapshot.stale) == (0, 0, "no policy is held")
    assert snapshot.policy_damaged or not config.policy.exists()


@pytest.mark.parametrize(
    "damage", [*DAMAGE.values(), *CACHE_DAMAGE.values()], ids=[*DAMAGE.keys(), *CACHE_DAMAGE.keys()]
)
async def test_what_is_damaged_is_fetched_again(
    damage: Callable[[Config], object], config: Config, server: StandIn
) -> None:
    await synced(config, server)
    good = config.policy.stat().st_size
    damage(config)
    async with running(config):
        browser = await Extension.connect(config.socket)
        await browser.greet()
        await browser.receive("plan")
        await browser.close()
    assert config.policy.stat().st_size == good


def evil(repository: Repository) -> None:
    """Somebody with other keys publishes under the same names."""
    other = Repository()
    other.versions = {role: version + 5 for role, version in repository.versions.items()}
    other.contents = repository.contents
    other.write_targets()
    other.publish(2, "awareness")
    first = repository.files["metadata/1.root.json"]
    repository.files = other.files | {"metadata/1.root.json": first}


def older(repository: Repository) -> None:
    repository.publish(1, "awareness")


def expired(repository: Repository) -> None:
    repository.lifetime = -DAY
    repository.publish(5, "awareness")


def nonsense(repository: Repository) -> None:
    repository.contents["policy"]["policy/policy.json"] = b'{"version": 9, "policy": 1}'
    repository.release()


def missing(repository: Repository) -> None:
    for path in [path for path in repository.files if path.endswith("timestamp.json")]:
        del repository.files[path]


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (evil, "not signed by the trusted keys"),
        (older, "is older than 3"),
        (expired, "has expired"),
        (nonsense, "policy"),
        (missing, "cannot be fetched"),
    ],
    ids=[
        "signed by other keys",
        "an older release under a new signature",
        "metadata that has expired",
        "signed nonsense",
        "metadata that is not there",
    ],
)
async def test_the_last_good_policy_stays_in_force(
    attack: Callable[[Repository], None], reason: str, config: Config, server: StandIn, repository: Repository
) -> None:
    repository.publish(3)
    async with enrolled(config, server) as agent:
        browser = await Extension.connect(config.socket)
        await browser.greet()
        await browser.receive("plan")
        before = config.policy.read_bytes()
        attack(repository)
        with pytest.raises(Exception, match=reason):
            await agent.releases.refresh()
        snapshot = await agent.snapshot()
        assert (snapshot.policy_version, snapshot.plan_version) == (3, 3)
        await browser.close()
    assert config.policy.read_bytes() == before


async def test_people_that_are_refused_do_not_hold_up_the_policy(
    config: Config, server: StandIn, repository: Repository
) -> None:
    from abide_rules.people import People

    repository.publish_people(People())
    server.fault = lambda r: web.Response(status=401) if "/targets/people/" in r.path else None
    async with enrolled(config, server) as agent:
        browser = await Extension.connect(config.socket)
        await browser.greet()
        await browser.receive("plan")
        snapshot = await agent.snapshot()
        await browser.close()
    assert snapshot.policy_version == 1
    assert "401" in snapshot.people_problem
