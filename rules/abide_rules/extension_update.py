"""How browsers learn of a new version of the extension: Chromium's update manifest and Firefox's update list."""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

import msgspec

UPDATE_MANIFEST = "update.xml"
UPDATE_LIST = "updates.json"


def update_manifest(extension: str, version: str, codebase: str) -> bytes:
    """Return what Chromium reads at ``update_url`` (Omaha response, protocol 2.0)."""
    check = f"<updatecheck codebase={quoteattr(codebase)} version={quoteattr(version)}/>" if version else _NOTHING
    return (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        "<gupdate xmlns='http://www.google.com/update2/response' protocol='2.0'>"
        f"<app appid={quoteattr(extension)}>{check}</app></gupdate>\n"
    ).encode()


def update_list(extension: str, version: str, link: str, sha256: str) -> bytes:
    """Return what Firefox reads at the manifest's ``update_url``."""
    update = {"version": version, "update_link": link, "update_hash": f"sha256:{sha256}"}
    return msgspec.json.encode({"addons": {extension: {"updates": [update]}}})


_NOTHING = "<updatecheck status='noupdate'/>"
