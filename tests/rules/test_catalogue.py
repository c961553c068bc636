"""The catalogue: every pattern finds its service, look-alikes find none, and hostile text harms nobody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from abide_rules import catalogue
from abide_rules.catalogue.index import HostIndex, Match, ServiceHosts, Words
from abide_rules.errors import CatalogueError

VECTORS = Path(__file__).parent.parent / "vectors"
CASES: list[dict[str, Any]] = json.loads((VECTORS / "classify.json").read_text("utf-8"))
SMALL: dict[str, Any] = json.loads((VECTORS / "index.json").read_text("utf-8"))
CATALOGUE = catalogue.load()


def small_index() -> HostIndex:
    words = Words((), tuple(SMALL["index"]["labels"]), tuple(SMALL["index"]["paths"]))
    return HostIndex(
        [
            ServiceHosts(s["id"], s["category"], s["vendor"], tuple(s["use"]), tuple(s["related"]))
            for s in SMALL["services"]
        ],
        words,
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["url"])
def test_a_url_is_classified_as_the_shared_vectors_say(case: dict[str, Any]) -> None:
    match = small_index().match(case["url"])
    assert (match.service, match.vendor) == (case["service"], case["vendor"])


def test_the_exported_index_is_the_one_the_extension_is_tested_with() -> None:
    assert json.loads(msgspec.json.encode(small_index().export())) == SMALL["index"]


def patterns() -> list[tuple[str, str]]:
    return [(p, s.id) for s in CATALOGUE.services.values() for p in s.domains + s.api_hosts]


def url_of(pattern: str) -> str:
    return "https://" + pattern.removeprefix("=").replace("*", "any1")


def test_every_pattern_of_the_catalogue_finds_its_own_service() -> None:
    wrong = {p: found for p, s in patterns() if (found := CATALOGUE.classify(url_of(p)).service) != s}
    assert wrong == {}
    assert len(patterns()) > 2_000


def test_every_vendor_host_is_no_use_of_a_service() -> None:
    wrong = {
        p: match
        for s in CATALOGUE.services.values()
        for p in s.related_hosts
        if (match := CATALOGUE.classify(url_of(p))).service is not None or match.vendor is None
    }
    assert wrong == {}


def test_look_alikes_of_every_pattern_find_nothing() -> None:
    hits = []
    for pattern, _service in patterns():
        host = pattern.removeprefix("=").replace("*", "any1").partition("/")[0].partition("?")[0]
        for fake in (f"{host}.evil.example", f"{host.replace('.', '-')}.example", f"evil.example/{host}"):
            if CATALOGUE.classify(f"https://{fake}/") != Match(None, None, None):
                hits.append(fake)
        if host.count(".") == 1 and CATALOGUE.classify(f"https://zz-not-{host}").service:
            hits.append(f"zz-not-{host}")
    assert hits == []


@given(st.text(max_size=200))
def test_no_text_whatever_makes_it_fail(text: str) -> None:
    CATALOGUE.classify(text)
    CATALOGUE.classify("https://" + text)


def test_a_pattern_that_two_services_claim_is_refused() -> None:
    twice = [ServiceHosts(name, "chat", "v", ("a.example",), ()) for name in ("one", "two")]
    with pytest.raises(CatalogueError, match="both claim"):
        HostIndex(twice, Words(("chat",), (), ("x",)))


@pytest.mark.parametrize(
    ("selector", "contains", "lacks"),
    [
        ("all", "chatgpt", "google-translate"),
        ("category:image", "midjourney", "chatgpt"),
        ("scope:adjacent", "google-translate", "chatgpt"),
        ("chatgpt", "chatgpt", "claude"),
    ],
)
def test_a_selector_names_a_set_of_services(selector: str, contains: str, lacks: str) -> None:
    assert contains in CATALOGUE.select(selector)
    assert lacks not in CATALOGUE.select(selector)


def test_a_selector_that_nothing_has_is_empty() -> None:
    assert not CATALOGUE.select("category:nothing")
    assert not CATALOGUE.select("no-such-service")
