"""The web page: what it shows, to whom, in which language, and that it follows by itself."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp.test_utils import TestServer

from abide_rules.wire import BrowserCoverage, Coverage, InForce
from abide_server.app import create_app
from abide_server.config import ServerConfig, load_settings
from abide_server.console.page import pick_language
from abide_server.publish import publish_policy
from abide_server.store.base import Act
from abide_server.store.sqlite import SqliteStore
from tests.server.conftest import Clock, House
from tests.server.house import NOW, make_data, policy, problem


async def _publish(house: House, note: str = "") -> int:
    act = Act(house.clock.now, "admin", "publish", note=note)
    return await publish_policy(house.store, house.repository, policy().encode(), "policy.yaml", act)


async def _browser(house: House, version: int, *, forced: bool = False) -> Any:
    laptop = await house.laptop()
    socket = await laptop.stream()
    await socket.receive_json(timeout=5)
    browsers = (BrowserCoverage("chromium", "140", "0.1.0", version, forced),)
    for message in (Coverage(browsers, stale=False, spooled=0), InForce(version, "chromium", NOW)):
        await socket.send_str(msgspec.json.encode(message).decode())
    return laptop, socket


async def test_the_page_shows_devices_releases_and_events(house: House) -> None:
    await _publish(house, "first")
    await _publish(house)
    laptop, _ = await _browser(house, 1)
    await laptop.send(1, host="<script>alert(1)</script>")
    page = await _wait_for(house, 'data-version="1"')
    assert "<title>Abide</title>" in page
    assert laptop.device in page
    assert "behind 2" in page
    assert "Connected" in page
    assert "first" in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


@pytest.mark.parametrize(
    ("forced", "text"), [(True, "installed by browser policy"), (False, "can be removed by the person")]
)
async def test_the_page_says_whether_a_person_can_remove_the_extension(house: House, forced: bool, text: str) -> None:
    await _publish(house)
    await _browser(house, 1, forced=forced)
    assert text in await _wait_for(house, text)
    assert [row.forced for row in await house.store.in_force() if row.browser] == [forced]


@pytest.mark.parametrize(
    ("lang", "what", "step"),
    [
        ("en", "A browser refused the plan", "Set device_key in the browser"),
        ("zh", "拒绝了代理程序送来的计划", "托管配置"),
    ],
)
async def test_a_problem_of_a_device_is_shown_with_the_administrators_next_step(
    lang: str, what: str, step: str, house: House
) -> None:
    _, socket = await _browser(house, 1)
    codes = ("block/plan-refused", "sync/of-a-newer-agent")
    await socket.send_str(msgspec.json.encode(Coverage((), stale=False, spooled=0, problems=codes)).decode())
    await _wait_for(house, 'data-problem="block/plan-refused"')
    page = (await house.get(f"/?lang={lang}"))[1].decode()
    assert what in page
    assert step in page
    assert "sync/of-a-newer-agent" in page
    await socket.close()
    await _wait_for(house, "Not connected")
    assert "data-problem" not in (await house.get("/"))[1].decode()


async def _wait_for(house: House, text: str) -> str:
    """Follow the live feed until a section has ``text``; return the whole page of then."""
    async with asyncio.timeout(10), house.session.get(house.url + "/live?lang=en") as feed:
        while True:
            line = (await feed.content.readuntil(b"\n\n")).decode()
            if line.startswith("data: ") and any(text in html for html in json.loads(line[6:]).values()):
                break
    return (await house.get("/?lang=en"))[1].decode()


async def test_the_live_feed_sends_only_what_changed(house: House) -> None:
    async with asyncio.timeout(10), house.session.get(house.url + "/live") as feed:
        first = json.loads((await feed.content.readuntil(b"\n\n"))[6:])
        assert set(first) == {"summary", "devices", "releases", "events"}
        await _publish(house)
        second = json.loads((await feed.content.readuntil(b"\n\n"))[6:])
        assert set(second) == {"summary", "releases"}
        assert 'data-release="1"' in second["releases"]


async def test_the_page_is_strict_about_what_it_loads(house: House) -> None:
    _, body, headers = await house.get("/")
    policy_header = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy_header
    assert "unsafe" not in policy_header
    assert b" style=" not in body
    assert b"onclick" not in body
    for name in ("live.js", "page.css", "icon.svg"):
        status, _, answer = await house.get(f"/console/{name}")
        assert (status, answer["X-Content-Type-Options"]) == (200, "nosniff")
    assert (await house.get("/console/page.py"))[0] == 404


LANGUAGES = {
    "what is asked for": ("zh", "en", "zh"),
    "the browser's language": (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
    "the first one that there is": (None, "fr, en;q=0.5, zh;q=0.1", "en"),
    "English when nothing fits": ("fr", "de", "en"),
    "English when nothing is said": (None, "", "en"),
}


@pytest.mark.parametrize("name", LANGUAGES)
def test_the_language_is(name: str) -> None:
    asked, accepted, expected = LANGUAGES[name]
    assert pick_language(asked, accepted) == expected


async def test_the_chinese_page_says_so(house: House) -> None:
    _, body, _ = await house.get("/", **{"Accept-Language": "zh-CN"})
    text = body.decode()
    assert '<html lang="zh-CN">' in text
    assert "设备" in text
    assert "No device is enrolled" not in text


FOREIGN = {
    "a name that was rebound to this machine": {"Host": "evil.example"},
    "a request that came through a proxy": {"X-Forwarded-For": "192.0.2.1"},
    "another way of saying so": {"Forwarded": "for=192.0.2.1"},
}


@pytest.mark.parametrize("path", ["/", "/live", "/metrics"])
@pytest.mark.parametrize("name", FOREIGN)
async def test_the_console_is_not_shown_to(name: str, path: str, house: House) -> None:
    status, body, _ = await house.get(path, **FOREIGN[name])
    assert status == 403
    assert "--console-public" in problem(body).advice


async def test_the_console_is_shown_to_all_when_told_so(tmp_path: Path) -> None:
    data = make_data(tmp_path / "data", "http://127.0.0.1:1", NOW)
    config = ServerConfig(data, load_settings(data), console_public=True)
    server = TestServer(create_app(config, SqliteStore(data.database), Clock()))
    await server.start_server()
    async with (
        aiohttp.ClientSession() as session,
        session.get(server.make_url("/"), headers={"Host": "abide.example"}) as response,
    ):
        assert response.status == 200
    await server.close()


async def test_health_and_metrics(house: House) -> None:
    laptop = await house.laptop()
    await laptop.send(3)
    await laptop.post(b"nonsense")
    assert (await house.get("/healthz"))[0] == 200
    assert (await house.get("/readyz"))[0] == 200
    text = (await house.get("/metrics"))[1].decode()
    assert "abide_events_total 3.0" in text
    assert 'abide_refusals_total{type="bad-json"} 1.0' in text
    assert 'abide_http_requests_total{route="/v1/events",status="200"} 1.0' in text


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        pytest.param("GET", "/nowhere", 404, "not-found", id="a path that does not exist"),
        pytest.param("GET", "/v1/events", 405, "not-acceptable", id="the wrong method"),
        pytest.param("DELETE", "/", 405, "not-acceptable", id="a method that nothing has"),
    ],
)
async def test_every_refusal_is_a_problem(method: str, path: str, status: int, kind: str, house: House) -> None:
    async with house.session.request(method, house.url + path) as response:
        assert (response.status, response.content_type) == (status, "application/problem+json")
        assert problem(await response.read()).type == f"urn:abide:{kind}"
