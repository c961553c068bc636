"""Enforced whatever happens: real server, agent, native host and browser, each killed in its turn."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import psutil
import pytest

from tests.demo.driver import expect
from tests.demo.programs import tool_json, until
from tests.demo.story import BLOCK_PAGE, WARN_PAGE
from tests.e2e.laptop import Laptop, in_force, open_laptop


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory, browser: str) -> Iterator[Laptop]:
    with open_laptop(tmp_path_factory.mktemp("laptop"), browser=browser) as laptop:
        yield laptop


def children(laptop: Laptop, name: str) -> list[psutil.Process]:
    """The native hosts of this laptop's browser."""
    state = str(laptop.house.state)
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if name in (line := " ".join(process.info["cmdline"] or ())) and state in line
    ]


@pytest.mark.parametrize(
    "url",
    ["https://chatgpt.com/", "http://CHATGPT.com:443/x?y#z", "https://a.b.claude.ai/", "https://x.com/i/grok",
     "https://x.com/i/%67rok", "https://www.google.com/search?q=a&udm=50", "https://chatgpt.com./", "https://user@chatgpt.com/",
     "https://us-east1-aiplatform.googleapis.com/"],
)  # fmt: skip
def test_a_service_is_stopped_however_its_address_is_written(laptop: Laptop, url: str) -> None:
    laptop.stand_in.hits.clear()
    laptop.is_blocked(url)
    if "%67" not in url:
        assert not laptop.stand_in.reached(str(urlsplit(url).hostname).rstrip("."))


@pytest.mark.parametrize(
    "url",
    ["https://notchatgpt.com/", "https://chatgpt.com.evil.example/", "https://x.com/home", "https://status.openai.com/",
     "https://www.midjourney.com/pricing", "https://www.google.com/search?q=udm%3D50", "https://news.example/chatgpt.com"],
)  # fmt: skip
def test_what_is_no_use_of_a_service_is_left_alone(laptop: Laptop, url: str) -> None:
    laptop.is_open(url)


def test_a_navigation_within_the_page_is_judged_too(laptop: Laptop) -> None:
    tab = laptop.visit("https://x.com/home")
    tab.evaluate("history.pushState({}, '', '/i/grok')")
    expect(tab).to_have_url(BLOCK_PAGE)
    expect(tab.get_by_text("https://x.com/i/grok")).to_be_visible()
    tab.close()


def kill_the_background(laptop: Laptop) -> None:
    laptop.browser.stop_background()


def kill_the_host(laptop: Laptop) -> None:
    hosts = children(laptop, "native-host")
    assert hosts
    for host in hosts:
        host.send_signal(signal.SIGKILL)


def kill_the_agent(laptop: Laptop) -> None:
    laptop.house.agent.kill()


def kill_the_server(laptop: Laptop) -> None:
    laptop.house.server.kill()


def kill_everything(laptop: Laptop) -> None:
    kill_the_server(laptop)
    kill_the_agent(laptop)
    kill_the_background(laptop)


@pytest.mark.parametrize(
    "kill",
    [kill_the_background, kill_the_host, kill_the_agent, kill_the_server, kill_everything],
    ids=lambda kill: kill.__name__.replace("_", " "),
)
def test_killed_at_once_it_is_still_enforced_and_the_visit_is_recorded_exactly_once(
    laptop: Laptop, kill: Callable[[Laptop], None]
) -> None:
    before = laptop.events()
    kill(laptop)
    laptop.is_blocked("https://gemini.google.com/app")
    if not laptop.house.agent.runs:
        laptop.house.agent.start()
    if not laptop.house.server.runs:
        laptop.house.start_server()
    until("the visit arrived", lambda: len(laptop.events()) > len(before), 90)
    in_force(laptop)
    after = laptop.events()
    assert after[: len(before)] == before
    assert [kind_service for _seq, *kind_service in after[len(before) :] if kind_service[0] == "visit"] == [
        ["visit", "gemini"]
    ]
    assert [seq for seq, _kind, _service in after] == list(range(1, len(after) + 1))


def test_a_stricter_policy_ends_what_continue_had_opened(laptop: Laptop) -> None:
    house = laptop.house
    house.change_policy("verdict: block\n    time: working", "verdict: warn\n    time: working")
    tab = laptop.visit("https://claude.ai/new")
    expect(tab).to_have_url(BLOCK_PAGE)
    house.publish()
    expect(tab).to_have_url(WARN_PAGE)
    tab.locator("#continue").click()
    expect(tab).to_have_url("https://claude.ai/new")
    other = laptop.visit("https://claude.ai/new")
    expect(other).to_have_url(WARN_PAGE)
    house.change_policy("verdict: warn\n    time: working", "verdict: block\n    time: working")
    house.publish()
    expect(tab).to_have_url(BLOCK_PAGE)
    expect(other).to_have_url(BLOCK_PAGE)
    tab.close()
    other.close()


def test_a_rolled_back_policy_is_in_force_again(laptop: Laptop) -> None:
    house = laptop.house
    tab = laptop.visit("https://poe.com/")
    expect(tab).to_have_url(BLOCK_PAGE)
    house.change_policy("    time: working\n", "    time: working\n    except: {services: [poe]}\n")
    allowed = house.publish()
    expect(tab.get_by_text("stands in for the real service")).to_be_visible()
    rolled = tool_json("abide-server", "rollback", str(allowed - 1), "--data", house.data)["version"]
    assert rolled == allowed + 1
    expect(tab).to_have_url(BLOCK_PAGE)
    tab.close()
