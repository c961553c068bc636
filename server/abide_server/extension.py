"""The browser extension that this server publishes: verified packages in a folder, and a file that names the newest."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import msgspec

from abide_rules.browser_policy import Wish, chromium_policy, firefox_policy
from abide_rules.errors import ConfigurationError, MalformedError
from abide_rules.extension_package import Package, read_crx, read_xpi
from abide_rules.extension_update import (
    LATEST_XPI,
    UPDATE_MANIFEST,
    nothing_newer,
    offered,
    unknown,
    update_list,
    update_manifest,
    version_number,
)
from abide_rules.files import write_atomic
from abide_rules.i18n import _
from abide_rules.wire import EXTENSION_PATH

PolicyFor = Literal["chromium", "edge", "brave", "firefox"]
_STATE = "published.json"


class Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is published. ``previous`` is the version before, whose files are kept for downloads under way."""

    chromium_id: str
    firefox_id: str
    version: str
    crx_sha256: str
    xpi_sha256: str
    xpi_signed: bool
    previous: str = ""

    @property
    def crx(self) -> str:
        """The CRX's file name."""
        return f"abide-{self.version}.crx"

    @property
    def xpi(self) -> str:
        """The XPI's file name."""
        return f"abide-{self.version}.xpi"

    def names(self) -> frozenset[str]:
        """Return the names of all packages that can be had."""
        return frozenset(
            f"abide-{version}{ending}" for version in (self.version, self.previous) if version for ending in _ENDINGS
        )


_ENDINGS = (".crx", ".xpi")


def load_published(folder: Path) -> Published | None:
    """Return what is published, or None for nothing. Raises ConfigurationError."""
    try:
        return msgspec.json.decode((folder / _STATE).read_bytes(), type=Published)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigurationError(
            _("cannot read {path}: {reason}", path=folder / _STATE, reason=error),
            advice=_("Publish the extension again: abide-server extension FILE.crx FILE.xpi"),
        ) from error


def publish_extension(folder: Path, crx: bytes, xpi: bytes, *, replace: bool) -> Published:
    """Verify both packages and make them the newest; the ones before stay. The caller holds the publish lock.

    Raises MalformedError, SignatureError or TooLargeError for a package, ConfigurationError for one that browsers would
    not take as an update, unless ``replace``.
    """
    chromium, firefox = read_crx(crx), read_xpi(xpi)
    if chromium.version != firefox.version:
        raise MalformedError(f"the CRX is version {chromium.version}, the XPI {firefox.version}")
    before = load_published(folder)
    found = _describe(chromium, firefox, crx, xpi, before)
    if before is not None and found != before and not replace:
        _check_is_update(before, found)
    folder.mkdir(mode=0o700, exist_ok=True)
    write_atomic(folder / found.crx, crx)
    write_atomic(folder / found.xpi, xpi)
    write_atomic(folder / _STATE, msgspec.json.encode(found) + b"\n")
    for path in folder.glob("abide-*"):
        if path.name not in found.names():
            path.unlink()
    return found


def _describe(chromium: Package, firefox: Package, crx: bytes, xpi: bytes, before: Published | None) -> Published:
    previous = ""
    if before is not None:
        previous = before.previous if before.version == chromium.version else before.version
    hashes = (hashlib.sha256(crx).hexdigest(), hashlib.sha256(xpi).hexdigest())
    return Published(chromium.id, firefox.id, chromium.version, *hashes, firefox.signed, previous)


def _check_is_update(before: Published, now: Published) -> None:
    advice = _("Add --replace if this is meant.")
    if now.chromium_id != before.chromium_id:
        raise ConfigurationError(
            _("this CRX is signed with another key: browsers would take it for another extension"), advice=advice
        )
    if version_number(now.version) <= version_number(before.version):
        raise ConfigurationError(
            _("version {version} is published: browsers take only a higher one", version=before.version), advice=advice
        )


def answer_chromium(published: Published, asked: list[tuple[str, str]], url: str) -> bytes:
    """Return the update manifest for the extensions that a browser asked for (id, version it has); for none, ours."""
    codebase = url + EXTENSION_PATH + published.crx
    entries = []
    for extension, version in asked or [(published.chromium_id, "")]:
        if extension != published.chromium_id:
            entries.append(unknown(extension))
        elif version and version_number(version) >= version_number(published.version):
            entries.append(nothing_newer(extension))
        else:
            entries.append(offered(extension, published.version, codebase))
    return update_manifest(*entries)


def answer_firefox(published: Published, url: str) -> bytes:
    """Return Firefox's update list."""
    link = url + EXTENSION_PATH + published.xpi
    return update_list(published.firefox_id, published.version, link, published.xpi_sha256)


def policy_for(browser: PolicyFor, published: Published, url: str) -> dict[str, object]:
    """Return the policy that installs the published extension; every laptop's own agent is trusted at first sight."""
    base = url + EXTENSION_PATH
    if browser == "firefox":
        return firefox_policy(Wish(id=published.firefox_id, source=base + LATEST_XPI, signed=published.xpi_signed))
    return chromium_policy(Wish(id=published.chromium_id, source=base + UPDATE_MANIFEST), browser)
