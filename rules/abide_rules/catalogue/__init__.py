"""The catalogue: some 1,600 generative-AI services, and which of them a URL is a use of.

``services.jsonl`` has one service a line (README.md beside it explains the fields and the pattern grammar). What decides,
in this order:

1. a *path* pattern, the longest host and then the longest path first;
2. an *exact* host;
3. a service's *own pages* that are no use of it (``docs.``, ``/pricing``, …): they name the vendor, not a service;
4. the longest *suffix*: a host where the service is used, or one that is only its vendor's;
5. a *wildcard* pattern.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

import msgspec

from abide_rules.catalogue.index import HostIndex, Match, ServiceHosts, UrlIndex, Words
from abide_rules.errors import CatalogueError

__all__ = ["Catalogue", "HostIndex", "Match", "Service", "UrlIndex", "load"]

_FOLDER = Path(__file__).parent


class Service(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the engine needs of a service; the file's other fields are passed over."""

    id: str
    name: str
    vendor: str
    category: str
    scope: str
    tier: int
    domains: tuple[str, ...] = ()
    api_hosts: tuple[str, ...] = ()
    related_hosts: tuple[str, ...] = ()


class Catalogue:
    """All services by id, and the index that classifies URLs. Immutable once built."""

    def __init__(self, services: tuple[Service, ...], words: Words) -> None:
        self.services = {service.id: service for service in services}
        if len(self.services) != len(services):
            raise CatalogueError("two services have the same id")
        self.categories = words.categories
        for service in services:
            if service.category not in words.categories:
                raise CatalogueError(f"{service.id}: unknown category {service.category!r}")
        self.index = HostIndex(
            [
                ServiceHosts(s.id, s.category, vendor_id(s.vendor), s.domains + s.api_hosts, s.related_hosts)
                for s in services
            ],
            words,
        )

    def classify(self, url: str) -> Match:
        """Return what a URL or bare host is a use of; never raises, whatever the text."""
        return self.index.match(url)

    def select(self, selector: str) -> frozenset[str]:
        """Return the ids that a policy's selector names; empty when it names nothing.

        ``all`` is every service of scope core or embedded; ``category:NAME`` and ``scope:NAME`` likewise name sets; any
        other text is a service id.
        """
        if selector == "all":
            return self._of_scope("core") | self._of_scope("embedded")
        kind, _, name = selector.partition(":")
        if kind == "category":
            usual = self.select("all")
            return frozenset(s.id for s in self.services.values() if s.category == name and s.id in usual)
        if kind == "scope":
            return self._of_scope(name)
        return frozenset({selector} & self.services.keys())

    def _of_scope(self, scope: str) -> frozenset[str]:
        return frozenset(s.id for s in self.services.values() if s.scope == scope)


def vendor_id(vendor: str) -> str:
    """Return a vendor's id: its name in lower case, words joined by hyphens."""
    return re.sub(r"[^\w]+", "-", vendor.lower()).strip("-")


@functools.cache
def load() -> Catalogue:
    """Return the catalogue that ships with the package (read once). Raises CatalogueError."""
    try:
        words = msgspec.json.decode((_FOLDER / "words.json").read_bytes(), type=Words)
        services = msgspec.json.Decoder(Service).decode_lines((_FOLDER / "services.jsonl").read_bytes())
    except (OSError, msgspec.MsgspecError) as error:
        raise CatalogueError(f"the catalogue cannot be read: {error}", advice="Reinstall abide-policy.") from error
    return Catalogue(tuple(services), words)
