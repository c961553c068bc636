"""The whole agent in one process: real sockets, real SQLite, a stand-in server."""

from __future__ import annotations

import base64
import json
import time

from abide_agent import platform
from abide_agent.config import Config
from abide_rules import envelope as dsse
from abide_rules.people import Entry, People
from abide_rules.plan import decode_plan
from abide_rules.wire import Coverage, InForce
from tests.agent.extension import Extension, enrolled, observation, running
from tests.agent.repository import DAY, Repository
from tests.agent.standin import StandIn, standin


def version_of(plan: dict[str, object]) -> int:
    envelope = dsse.decode(json.dumps(plan["envelope"]).encode())
    return decode_plan(dsse.payload_bytes(envelope)).policy_version


async def test_a_browser_gets_a_plan_that_the_device_signed(config: Config, server: StandIn) -> None:
    async with enrolled(config, server):
        browser = await Extension.connect(config.socket)
        await browser.greet()
        session = await browser.receive()
        assert session["type"] == "session"
        public = base64.b64decode(session["public_key"])
        assert session["device"] == dsse.device_id(public)
        plan = await browser.receive("plan")
        envelope = dsse.decode(json.dumps(plan["envelope"]).encode())
        payload = dsse.verify(envelope, dsse.PLAN_TYPE, {dsse.key_id(public): public})
        assert decode_plan(payload).policy_version == 1
        await browser.close()


async def test_a_nudge_brings_the_new_plan_to_an_open_browser(
    config: Config, server: StandIn, repository: Repository
) -> None:
    async with enrolled(config, server):
        browser = await Extension.connect(config.socket)
        await browser.greet()
        assert version_of(await browser.receive("plan")) == 1
        await server.until(lambda: server.welcomed > 0)
        repository.publish(2, "balanced")
        await server.nudge()
        assert version_of(await browser.receive("plan")) == 2
        await browser.send({"type": "in_force", "policy_version": 2, "at": time.time_ns() // 1_000_000})
        await server.until(lambda: any(e.kind == "policy_in_force" for e in server.accepted))
        messages = [server.messages.get_nowait() for _ in range(server.messages.qsize())]
        assert any(isinstance(m, InForce) and (m.policy_version, m.browser) == (2, "chromium") for m in messages)
        assert any(isinstance(m, Coverage) and [b.policy_version for b in m.browsers] == [2] for m in messages)
        await browser.close()


async def test_in_force_is_recorded_once_for_each_browser_and_version(config: Config, server: StandIn) -> None:
    async with enrolled(config, server):
        for name in ("chromium", "chromium", "firefox"):
            browser = await Extension.connect(config.socket)
            await browser.greet(name)
            await browser.send({"type": "in_force", "policy_version": 1, "at": 5}, {"type": "ping"})
            await browser.receive("pong")
            await browser.close()
        await server.until(lambda: len(server.accepted) == 2)
    assert [(e.kind, e.browser, e.policy_version) for e in server.accepted] == [
        ("policy_in_force", "chromium", 1),
        ("policy_in_force", "firefox", 1),
    ]


async def test_people_decide_whose_events_they_are(config: Config, server: StandIn, repository: Repository) -> None:
    repository.publish_people(People((Entry("p-7", (platform.account(),), ("sales",), "Asia/Tokyo"),)))
    async with enrolled(config, server):
        browser = await Extension.connect(config.socket)
        await browser.greet()
        plan = decode_plan(
            dsse.payload_bytes(dsse.decode(json.dumps((await browser.receive("plan"))["envelope"]).encode()))
        )
        assert (plan.person, plan.zone) == ("p-7", "Asia/Tokyo")
        await browser.observe(observation(), observation(verdict="count"), observation(verdict="allow", count=True))
        await server.until(lambda: len(server.accepted) == 3)
        await browser.close()
    named, counted, flagged = server.accepted
    assert (named.person, named.groups, named.host) == ("p-7", ("sales",), "chatgpt.com")
    for event in (counted, flagged):
        assert (event.person, event.groups, event.host, event.at % 86_400_000) == ("", (), "", 0)
        assert event.service == "chatgpt"


async def test_a_person_sees_what_was_recorded_newest_first(config: Config, server: StandIn) -> None:
    async with enrolled(config, server):
        browser = await Extension.connect(config.socket)
        await browser.greet()
        await browser.observe(observation(host="one.example"))
        await browser.observe(observation(host="two.example", kind="notice"))
        await server.until(lambda: len(server.accepted) == 2)
        await browser.send({"type": "records", "limit": 10})
        records = (await browser.receive("records"))["events"]
        assert [(r["host"], r["kind"]) for r in records] == [("two.example", "notice"), ("one.example", "visit")]
        await browser.close()


async def test_a_malformed_observation_is_counted_and_does_not_hold_up_the_others(
    config: Config, server: StandIn
) -> None:
    async with enrolled(config, server):
        browser = await Extension.connect(config.socket)
        await browser.greet()
        good, bad = observation(), observation(verdict="explode")
        assert await browser.observe(bad, {"no": "id"}, good) == [bad["id"], good["id"]]
        await server.until(lambda: len(server.accepted) == 2)
        await browser.close()
    assert [(e.kind, e.dropped) for e in server.accepted] == [("dropped", 1), ("visit", 0)]


async def test_without_a_server_the_last_policy_is_enforced_and_events_wait(
    config: Config, repository: Repository
) -> None:
    async with standin(repository) as server, enrolled(config, server):
        browser = await Extension.connect(config.socket)
        await browser.greet()
        await browser.receive("plan")
        await browser.close()
        port = int(server.url.rpartition(":")[2])
    async with running(config):
        browser = await Extension.connect(config.socket)
        await browser.greet()
        assert version_of(await browser.receive("plan")) == 1
        status = await browser.receive("status")
        assert (status["connected"], status["stale"], status["policy_version"]) == (False, False, 1)
        seen = observation()
        assert await browser.observe(seen) == [seen["id"]]
        async with standin(repository, port=port) as back:
            await back.until(lambda: len(back.accepted) == 1)
        await browser.close()


async def test_expired_metadata_is_reported_as_stale_and_still_enforced(config: Config) -> None:
    repository = Repository()
    repository.publish(1)
    async with standin(repository) as server:
        async with enrolled(config, server):
            browser = await Extension.connect(config.socket)
            await browser.greet()
            await browser.receive("plan")
            await browser.close()
        repository.lifetime = -DAY
        repository.release()
        config.policy.write_bytes(config.policy.read_bytes())
        from abide_agent.held import encode_held

        config.policy.write_bytes(encode_held(repository.held()))
        async with running(config) as agent:
            browser = await Extension.connect(config.socket)
            await browser.greet()
            assert version_of(await browser.receive("plan")) == 1
            assert (await browser.receive("status"))["stale"] is True
            assert (await agent.snapshot()).stale == "the update metadata has expired"
            await browser.close()
