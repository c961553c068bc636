"""From the catalogue's patterns to rules of the browser's own engine (declarativeNetRequest).

Source: https://developer.chrome.com/docs/extensions/reference/api/declarativeNetRequest. Priorities repeat the order in
which the catalogue decides; a *pass* (Continue on a warning) is a session rule of priority PASS_PRIORITY above them all.
Percent-encoded letters in a path are not seen by the browser's engine; the extension's second layer stops those.

Pages and frames are redirected to our page. *Background* requests (fetch, web sockets, beacons) that another site makes
to a blocked service are blocked; hosts that a service shares with others (path patterns) are never blocked so.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from abide_rules.catalogue import UrlIndex
from abide_rules.catalogue.index import LOCALE_SEGMENT, wildcard_regex
from abide_rules.errors import CatalogueError

FIRST_ID = {"suffix": 1_000, "exact": 2_000, "path": 3_000, "wildcard": 4_000, "own_page": 5_000, "background": 6_000}
"""Rules are numbered from here, by the kind of pattern they come from; 1,000 of each kind at most."""
MAX_RULES_OF_A_KIND = 1_000
MAX_REGEX_RULES = 1_000
MAX_REDIRECT_RULES = 5_000
PASS_PRIORITY = 100

_WILDCARD_PRIORITY = 1
_SUFFIX_PRIORITY = 2
_OWN_PAGE_PRIORITY = 20
_EXACT_PRIORITY = 30
_PATH_PRIORITY = 40
_OWN_REQUEST_PRIORITY = 50
_ANY_URL = "^https?://.*"
_PAGES = ["main_frame", "sub_frame"]
_BACKGROUND = ["xmlhttprequest", "websocket", "ping", "other"]
_USER = "(?:[^/?#@]*@)?"
_REST = r"\.*(?::\d+)?(?:[/?#].*)?$"

Dnr = dict[str, Any]


def compile_rules(index: UrlIndex, stops: Mapping[str, str], blocked: Collection[str] = ()) -> list[Dnr]:
    """Return the rules that send visits of the services in ``stops`` to a page (``abide:block``, ``abide:warn``).

    To the services in ``blocked`` other sites send nothing in the background either.

    Raises CatalogueError when they are more than a browser takes.
    """
    if not stops:
        return []
    covered = _Covered(index, stops)
    rules = [
        *_numbered("suffix", _suffix_rules(index, stops, covered)),
        *_numbered("exact", _exact_rules(index, stops, covered)),
        *_numbered("path", _path_rules(index, stops, covered)),
        *_numbered("wildcard", _wildcard_rules(index, stops)),
        *_numbered("own_page", _own_page_rules(index, stops)),
        *_numbered("background", _background_rules(index, frozenset(blocked))),
    ]
    regexes = sum("regexFilter" in rule["condition"] for rule in rules)
    redirects = sum(rule["action"]["type"] == "redirect" for rule in rules)
    if regexes > MAX_REGEX_RULES or redirects > MAX_REDIRECT_RULES:
        raise CatalogueError(f"{regexes} regex rules and {redirects} redirects are more than a browser takes")
    return rules


class _Covered:
    """Says whether a host lies below a pattern that is stopped, so that an exception must be written out."""

    def __init__(self, index: UrlIndex, stops: Mapping[str, str]) -> None:
        self._hosts = {host for host, service in [*index.suffix.items(), *index.exact.items()] if service in stops}
        self._wildcards = [wildcard_regex(pattern) for pattern, service in index.wildcard if service in stops]

    def __call__(self, host: str) -> bool:
        return not self._hosts.isdisjoint(_parents(host)) or any(w.match(host) for w in self._wildcards)


def _suffix_rules(index: UrlIndex, stops: Mapping[str, str], covered: _Covered) -> Iterator[Dnr]:
    groups: defaultdict[tuple[int, str], list[str]] = defaultdict(list)
    for host, service in index.suffix.items():
        if service in stops or covered(host):
            groups[_SUFFIX_PRIORITY + host.count("."), stops.get(service, "")].append(host)
    for host in index.vendor:
        if covered(host):
            groups[_SUFFIX_PRIORITY + host.count("."), ""].append(host)
    for (priority, page), hosts in sorted(groups.items()):
        yield _rule(priority, page, _ANY_URL, hosts)


def _exact_rules(index: UrlIndex, stops: Mapping[str, str], covered: _Covered) -> Iterator[Dnr]:
    for host, service in index.exact.items():
        if service in stops or covered(host):
            yield _rule(_EXACT_PRIORITY, stops.get(service, ""), f"^https?://{_USER}{re.escape(host)}{_REST}", [host])


def _path_rules(index: UrlIndex, stops: Mapping[str, str], covered: _Covered) -> Iterator[Dnr]:
    for host, paths in index.path.items():
        for path, query, service in paths:
            if service not in stops and not covered(host):
                continue
            steps = path.count("/")
            priority = _PATH_PRIORITY + 6 * host.count(".") + 2 * min(steps, 8) + (query != "")
            start = "^https?://[^/?#]+" + re.escape(path).replace("/", "/+")
            if query:
                pattern = start + r"(?:/[^?#]*)?\?(?:[^#]*&)?" + re.escape(query) + "(?:[&#].*)?$"
            else:
                pattern = start + "(?:[/?#].*)?$"
            yield _rule(priority, stops.get(service, ""), pattern, [host])


def _wildcard_rules(index: UrlIndex, stops: Mapping[str, str]) -> Iterator[Dnr]:
    for pattern, service in index.wildcard:
        if service in stops:
            hosts = [pattern.rpartition("*")[2].partition(".")[2]]
            yield _rule(_WILDCARD_PRIORITY, stops[service], _wildcard_filter(pattern), hosts)


def _own_page_rules(index: UrlIndex, stops: Mapping[str, str]) -> Iterator[Dnr]:
    """A service's own pages are no use of it: allowed on any host, which concerns nobody but our own redirects."""
    named = [host for host, service in index.suffix.items() if service in stops]
    for label in index.labels:
        condition: Dnr = {"urlFilter": f"||{label}.", "resourceTypes": _PAGES + _BACKGROUND}
        if own := [host for host in named if label in host.split(".")]:
            condition["excludedRequestDomains"] = own
        yield {"priority": _OWN_PAGE_PRIORITY, "action": {"type": "allow"}, "condition": condition}
    for path in index.paths:
        rule = _rule(_OWN_PAGE_PRIORITY, "", f"^[a-z]+://[^/?#]+/+(?:{LOCALE_SEGMENT}/+)?{path}(?:[/?#]|$)", [])
        rule["condition"]["resourceTypes"] = _PAGES + _BACKGROUND
        yield rule


def _background_rules(index: UrlIndex, blocked: frozenset[str]) -> Iterator[Dnr]:
    """Other sites reach a blocked service by no request; pages of services and vendors were judged as pages."""
    if not blocked:
        return
    hosts = [host for host, service in index.suffix.items() if service in blocked]
    covered = _Covered(index, dict.fromkeys(blocked, ""))
    open_hosts = [*(host for host, service in index.suffix.items() if service not in blocked), *index.vendor]
    yield _background("block", requestDomains=sorted(hosts), excludedRequestDomains=sorted(filter(covered, open_hosts)))
    for host, service in index.exact.items():
        if service in blocked or covered(host):
            action = "block" if service in blocked else "allow"
            regex = f"^[a-z]+://{_USER}{re.escape(host)}{_REST}"
            yield _background(action, _EXACT_PRIORITY, requestDomains=[host], regexFilter=regex)
    for pattern, service in index.wildcard:
        if service in blocked:
            yield _background("block", regexFilter=_wildcard_filter(pattern).replace("^https?", "^[a-z]+"))
    pages = {*index.suffix, *index.exact, *index.vendor}
    yield _background("allow", _OWN_REQUEST_PRIORITY, initiatorDomains=sorted(pages))


def _background(action: str, priority: int = _WILDCARD_PRIORITY, **condition: Any) -> Dnr:
    filled = {name: value for name, value in condition.items() if value}
    return {"priority": priority, "action": {"type": action}, "condition": {**filled, "resourceTypes": _BACKGROUND}}


def _wildcard_filter(pattern: str) -> str:
    labels = re.escape(pattern).replace(r"\*", "[^/?#@:.]*")
    return rf"^https?://{_USER}(?:[^/?#@:]+\.)?{labels}{_REST}"


def _rule(priority: int, page: str, regex: str, hosts: list[str]) -> Dnr:
    action: Dnr = {"type": "allow"}
    if page:
        action = {"type": "redirect", "redirect": {"regexSubstitution": page}}
    condition: Dnr = {"regexFilter": regex, "isUrlFilterCaseSensitive": False, "resourceTypes": _PAGES}
    if hosts:
        condition["requestDomains"] = sorted(hosts)
    return {"priority": priority, "action": action, "condition": condition}


def _numbered(kind: str, rules: Iterator[Dnr]) -> Iterator[Dnr]:
    for number, rule in enumerate(rules):
        if number >= MAX_RULES_OF_A_KIND:
            raise CatalogueError(f"more than {MAX_RULES_OF_A_KIND} {kind} rules")
        yield {"id": FIRST_ID[kind] + number, **rule}


def _parents(host: str) -> Iterator[str]:
    while host:
        yield host
        host = host.partition(".")[2]
