"""How browsers learn of a new version of the extension: Chromium's update manifest and Firefox's update list."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

import msgspec

UPDATE_MANIFEST = "update.xml"
UPDATE_LIST = "updates.json"
LATEST_XPI = "abide.xpi"


def update_manifest(*apps: str) -> bytes:
    """Return what Chromium reads at ``update_url`` (Omaha response, protocol 2.0): one entry an extension."""
    return (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        "<gupdate xmlns='http://www.google.com/update2/response' protocol='2.0'>" + "".join(apps) + "</gupdate>\n"
    ).encode()


def offered(extension: str, version: str, codebase: str) -> str:
    """Return the entry of an extension that can be had."""
    check = f"<updatecheck codebase={quoteattr(codebase)} version={quoteattr(version)} status='ok'/>"
    return f"<app appid={quoteattr(extension)} status='ok'>{check}</app>"


def nothing_newer(extension: str) -> str:
    """Return the entry of an extension of which the browser has the newest version."""
    return f"<app appid={quoteattr(extension)} status='ok'><updatecheck status='noupdate'/></app>"


def unknown(extension: str) -> str:
    """Return the entry of an extension that is not ours."""
    return f"<app appid={quoteattr(extension)} status='error-unknownApplication'/>"


def update_list(extension: str, version: str, link: str, sha256: str) -> bytes:
    """Return what Firefox reads at the manifest's ``update_url``."""
    update = {"version": version, "update_link": link, "update_hash": f"sha256:{sha256}"}
    return msgspec.json.encode({"addons": {extension: {"updates": [update]}}})


def version_number(version: str) -> tuple[int, ...]:
    """Return a manifest's version so that it compares as browsers do: numbers, missing ones are 0."""
    parts = [int(part) for part in version.split(".") if part.isascii() and part.isdigit() and len(part) <= 5]
    return (*parts[:4], *(0,) * (4 - len(parts)))
