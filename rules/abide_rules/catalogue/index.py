"""The index that says in a few microseconds which service a URL is a use of.

One dictionary holds every host name that some pattern ends in; a URL's host is looked up there label by label from the
left, so the cost does not grow with the catalogue.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from abide_rules.catalogue.urls import host_and_rest, plain_path, query_has
from abide_rules.errors import CatalogueError

LOCALE_SEGMENT = "[a-z]{2}(?:[-_][a-z]{2,4})?"


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``words.json``: the categories, and the words that mark a service's own pages."""

    categories: tuple[str, ...]
    own_page_labels: tuple[str, ...]
    own_page_paths: tuple[str, ...]


class UrlIndex(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The catalogue's patterns, as the extension matches them.

    ``path``: host → [[path, "k=v" or "", service], …] most specific first · ``exact``, ``suffix``: host → service ·
    ``vendor``: hosts whose pages are no use · ``wildcard``: [[pattern, service], …] ·
    ``labels``: host labels and ``paths``: first path segments of a service's own pages that are no use.
    """

    path: dict[str, list[tuple[str, str, str]]]
    exact: dict[str, str]
    suffix: dict[str, str]
    vendor: dict[str, str]
    wildcard: list[tuple[str, str]]
    labels: list[str]
    paths: list[str]


class Match(NamedTuple):
    """``service`` and ``category`` are None on a vendor's page that is no use; all are None elsewhere."""

    service: str | None
    category: str | None
    vendor: str | None


class ServiceHosts(NamedTuple):
    """One service's patterns: where it is used, and hosts that are only its vendor's."""

    service: str
    category: str
    vendor: str
    use: tuple[str, ...]
    related: tuple[str, ...]


class _Host:
    """What patterns say about one host name."""

    __slots__ = ("exact", "paths", "suffix", "wildcards")

    def __init__(self) -> None:
        self.paths: list[tuple[str, str, Match]] = []
        self.exact: Match | None = None
        self.suffix: Match | None = None
        self.wildcards: list[tuple[re.Pattern[str], Match]] = []


NOTHING = Match(None, None, None)


class HostIndex:
    """Classifies URLs. Raises CatalogueError when two services claim one pattern."""

    def __init__(self, services: Iterable[ServiceHosts], words: Words) -> None:
        self._hosts: dict[str, _Host] = {}
        self._labels = frozenset(words.own_page_labels)
        self._words = words
        self._own_path = re.compile(f"/(?:{LOCALE_SEGMENT}/)?(?:{'|'.join(words.own_page_paths)})(?:/|$)")
        self._wildcards: list[tuple[str, str]] = []
        self._seen: dict[str, str] = {}
        for entry in services:
            use = Match(entry.service, entry.category, entry.vendor)
            for pattern in entry.use:
                self._add(pattern, use)
            own = Match(None, None, entry.vendor)
            for pattern in entry.related:
                self._add(pattern, own)
        for host in self._hosts.values():
            host.paths.sort(key=lambda path: (-len(path[0]), path[1] == ""))

    def match(self, url: str) -> Match:
        """Return what a URL or bare host is a use of; :data:`NOTHING` when no pattern speaks of it."""
        host, rest = host_and_rest(url)
        hosts = self._hosts
        name, best, best_name, wild = host, None, "", None
        while name:
            entry = hosts.get(name)
            if entry is not None:
                if entry.paths and (found := _by_path(entry.paths, rest)):
                    return found
                if best is None:
                    best, best_name = (entry.exact if name == host else None), ""
                    if best is None:
                        best, best_name = entry.suffix, name
                if entry.wildcards and wild is None:
                    wild = next((m for regex, m in entry.wildcards if regex.match(host)), None)
            _, _, name = name.partition(".")
        if best is None:
            if wild is None:
                return NOTHING
            best, best_name = wild, ".".join(host.split(".")[-2:])
        if best.service and best_name and self._is_own_page(host, best_name, rest):
            return Match(None, None, best.vendor)
        return best

    def export(self) -> UrlIndex:
        """Return the patterns as the extension matches them."""
        path: dict[str, list[tuple[str, str, str]]] = {}
        exact: dict[str, str] = {}
        suffix: dict[str, str] = {}
        vendor: dict[str, str] = {}
        for name, host in self._hosts.items():
            if host.paths:
                path[name] = [(p, q, m.service or "") for p, q, m in host.paths]
            if host.exact:
                exact[name] = host.exact.service or ""
            if host.suffix:
                (suffix if host.suffix.service else vendor)[name] = host.suffix.service or host.suffix.vendor or ""
        return UrlIndex(
            path=path, exact=exact, suffix=suffix, vendor=vendor, wildcard=list(self._wildcards),
            labels=sorted(self._labels), paths=list(self._words.own_page_paths),
        )  # fmt: skip

    def _is_own_page(self, host: str, suffix: str, rest: str) -> bool:
        left = host[: -len(suffix) - 1]
        if left and not self._labels.isdisjoint(left.split(".")):
            return True
        return len(rest) > 1 and self._own_path.match(plain_path(rest)) is not None

    def _add(self, pattern: str, match: Match) -> None:
        if pattern in self._seen:
            raise CatalogueError(f"{match.service or match.vendor} and {self._seen[pattern]} both claim {pattern}")
        self._seen[pattern] = match.service or match.vendor or ""
        host, slash, path = pattern.partition("/")
        if slash:
            path, _, query = path.partition("?")
            self._host(host).paths.append((f"/{path.lower()}".rstrip("/"), query.lower(), match))
        elif host.startswith("="):
            self._host(host[1:]).exact = match
        elif "*" in host:
            self._host(host.rpartition("*")[2].partition(".")[2]).wildcards.append((wildcard_regex(host), match))
            self._wildcards.append((host, match.service or ""))
        else:
            self._host(host).suffix = match

    def _host(self, name: str) -> _Host:
        return self._hosts.setdefault(name, _Host())


def wildcard_regex(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of a wildcard pattern: that host and its sub-hosts."""
    return re.compile(r"(?:[^.]+\.)*" + re.escape(pattern).replace(r"\*", "[^.]*") + r"\Z")


def _by_path(paths: list[tuple[str, str, Match]], rest: str) -> Match | None:
    path = plain_path(rest)
    for prefix, query, match in paths:
        boundary = path[len(prefix) : len(prefix) + 1]
        if path.startswith(prefix) and boundary in ("", "/") and (not query or query_has(rest, query)):
            return match
    return None
