"""The browser extension as one file: CRX3 for Chromium and its relatives, XPI for Firefox. Bytes in, bytes out."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from abide_rules.archive import read_zip, write_zip
from abide_rules.crx import PrivateKey, extension_id, open_crx, sign_crx, spki
from abide_rules.errors import MalformedError, TooLargeError
from abide_rules.wire import MAX_EXTENSION_BYTES

__all__ = ["Package", "PrivateKey", "extension_id", "pack_crx", "pack_xpi", "read_crx", "read_xpi"]

CRX_MEDIA_TYPE = "application/x-chrome-extension"
XPI_MEDIA_TYPE = "application/x-xpinstall"
_VERSION = re.compile(r"[0-9]{1,5}(\.[0-9]{1,5}){0,3}")
_MOZILLA_SIGNATURES = {"META-INF/mozilla.rsa", "META-INF/cose.sig"}


@dataclass(frozen=True)
class Package:
    """What a package says of itself.

    ``id`` is proven by the signature of a CRX, and only claimed by the manifest of an XPI. ``signed``: an XPI that carries
    Mozilla's signature, which Firefox itself verifies (always true of a CRX).
    """

    id: str
    version: str
    files: Mapping[str, bytes]
    signed: bool


def pack_crx(files: Mapping[str, bytes], key: PrivateKey, *, update_url: str = "") -> bytes:
    """Return a CRX3. The manifest's ``key`` becomes the signing key's; ``update_url`` is set when given.

    Raises MalformedError when the files are no extension or the key is of a kind that Chromium does not take.
    """
    manifest = _loads(files)
    manifest |= {"key": base64.b64encode(spki(key.public_key())).decode()}
    manifest.pop("update_url", None)
    if update_url:
        manifest["update_url"] = update_url
    return sign_crx(write_zip({**files, "manifest.json": _dumps(manifest)}), key)


def pack_xpi(files: Mapping[str, bytes], *, update_url: str = "") -> bytes:
    """Return an XPI without what only Chromium needs; ``update_url`` (https) is set when given. Raises MalformedError."""
    manifest = _loads(files)
    for name in ("key", "minimum_chrome_version", "update_url"):
        manifest.pop(name, None)
    manifest["background"] = {k: v for k, v in manifest.get("background", {}).items() if k != "service_worker"}
    if update_url:
        manifest.setdefault("browser_specific_settings", {}).setdefault("gecko", {})["update_url"] = update_url
    return write_zip({**files, "manifest.json": _dumps(manifest)})


def read_crx(raw: bytes) -> Package:
    """Verify a CRX3 and return what it holds. Raises MalformedError, SignatureError or TooLargeError."""
    _check_size(raw)
    proven, archive = open_crx(raw)
    files = read_zip(archive)
    return Package(proven, _read_manifest(files).version, files, signed=True)


def read_xpi(raw: bytes) -> Package:
    """Return what an XPI holds and claims. Raises MalformedError or TooLargeError."""
    _check_size(raw)
    files = read_zip(raw)
    manifest = _read_manifest(files)
    if not manifest.browser_specific_settings.gecko.id:
        raise MalformedError("a manifest without browser_specific_settings.gecko.id is no add-on for Firefox")
    signed = bool(_MOZILLA_SIGNATURES & set(files))
    return Package(manifest.browser_specific_settings.gecko.id, manifest.version, files, signed)


class _Gecko(msgspec.Struct, frozen=True):
    id: str = ""


class _Specific(msgspec.Struct, frozen=True):
    gecko: _Gecko = _Gecko()


class _Manifest(msgspec.Struct, frozen=True):
    name: str
    version: str
    manifest_version: int
    browser_specific_settings: _Specific = _Specific()


def _read_manifest(files: Mapping[str, bytes]) -> _Manifest:
    try:
        manifest = msgspec.json.decode(files["manifest.json"], type=_Manifest)
    except KeyError as error:
        raise MalformedError("an extension without manifest.json") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedError(f"manifest.json: {error}") from error
    if not _VERSION.fullmatch(manifest.version):
        raise MalformedError(f"manifest.json: {manifest.version[:40]!r} is not a version of one to four numbers")
    return manifest


def _loads(files: Mapping[str, bytes]) -> dict[str, Any]:
    """Return the manifest as an object that can be changed. Raises MalformedError."""
    _read_manifest(files)
    manifest: dict[str, Any] = msgspec.json.decode(files["manifest.json"])
    return manifest


def _dumps(manifest: Mapping[str, Any]) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest)) + b"\n"


def _check_size(raw: bytes) -> None:
    if len(raw) > MAX_EXTENSION_BYTES:
        raise TooLargeError(f"an extension has at most {MAX_EXTENSION_BYTES} bytes, this one {len(raw)}")
