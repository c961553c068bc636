"""Packages of the extension: what is packed is read, and whatever was touched is refused with our errors."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from abide_rules import archive
from abide_rules.archive import write_zip
from abide_rules.crx import _field, sign_crx
from abide_rules.errors import AbideError, BadDataError, MalformedError, SignatureError, TooLargeError
from abide_rules.extension_package import extension_id, pack_crx, pack_xpi, read_crx, read_xpi
from abide_rules.wire import EXTENSION_ID_CHROMIUM, MAX_EXTENSION_BYTES

RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
MANIFEST: dict[str, Any] = {
    "manifest_version": 3,
    "name": "x",
    "version": "1.2.3",
    "key": "development",
    "minimum_chrome_version": "137",
    "background": {"service_worker": "b.js", "scripts": ["b.js"]},
    "browser_specific_settings": {"gecko": {"id": "x@example", "strict_min_version": "142.0"}},
}


def files(**changes: Any) -> dict[str, bytes]:
    return {"manifest.json": json.dumps(MANIFEST | changes).encode(), "b.js": b"1", "pages/a.html": b"<p>"}


CRX = pack_crx(files(), EC_KEY)
HEADER_BYTES = struct.unpack_from("<I", CRX, 8)[0]
ARCHIVE = CRX[12 + HEADER_BYTES :]


@pytest.mark.parametrize("key", [RSA_KEY, EC_KEY], ids=["RSA", "ECDSA"])
def test_what_is_packed_is_read_and_has_the_id_of_its_key(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    package = read_crx(pack_crx(files(), key, update_url="https://u.example/update.xml"))
    manifest = json.loads(package.files["manifest.json"])
    assert (package.id, package.version, package.signed) == (extension_id(key.public_key()), "1.2.3", True)
    assert hashlib.sha256(base64.b64decode(manifest["key"])).hexdigest()[:4] == "".join(
        "0123456789abcdef"["abcdefghijklmnop".index(letter)] for letter in package.id[:4]
    )
    assert manifest["update_url"] == "https://u.example/update.xml"
    assert package.files["pages/a.html"] == b"<p>"


def test_the_development_key_gives_the_development_id() -> None:
    from pathlib import Path

    source = Path(__file__).parents[2] / "extension" / "manifest.json"
    key = serialization.load_der_public_key(base64.b64decode(json.loads(source.read_text())["key"]))
    assert isinstance(key, rsa.RSAPublicKey)
    assert extension_id(key) == EXTENSION_ID_CHROMIUM


def test_the_same_files_give_the_same_bytes_in_any_order() -> None:
    assert pack_xpi(files()) == pack_xpi(dict(reversed(files().items())))
    assert pack_crx(files(), RSA_KEY) == pack_crx(dict(reversed(files().items())), RSA_KEY)


def test_firefox_gets_no_key_and_no_worker() -> None:
    package = read_xpi(pack_xpi(files(update_url="https://old.example"), update_url="https://u.example/updates.json"))
    manifest = json.loads(package.files["manifest.json"])
    assert (package.id, package.version, package.signed) == ("x@example", "1.2.3", False)
    assert not {"key", "minimum_chrome_version", "update_url"} & set(manifest)
    assert manifest["background"] == {"scripts": ["b.js"]}
    assert manifest["browser_specific_settings"]["gecko"]["update_url"] == "https://u.example/updates.json"


def test_mozillas_signature_is_noticed() -> None:
    assert read_xpi(write_zip({**files(), "META-INF/mozilla.rsa": b"x"})).signed


def crx(head: bytes, body: bytes = ARCHIVE) -> bytes:
    return struct.pack("<4sII", b"Cr24", 3, len(head)) + head + body


def flipped(at: int) -> bytes:
    return CRX[:at] + bytes([CRX[at] ^ 1]) + CRX[at + 1 :]


def of_another_id() -> bytes:
    """Everything is signed well, but the header claims the id of another key."""
    claimed = _field(1, b"\x00" * 16)
    signed = b"CRX3 SignedData\0" + struct.pack("<I", len(claimed)) + claimed + ARCHIVE
    from cryptography.hazmat.primitives import hashes

    public = EC_KEY.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    proof = _field(1, public) + _field(2, EC_KEY.sign(signed, ec.ECDSA(hashes.SHA256())))
    return crx(_field(3, proof) + _field(10_000, claimed))


def by(public: bytes) -> bytes:
    return crx(_field(3, _field(1, public) + _field(2, b"x")) + _field(10_000, _field(1, b"\x00" * 16)))


def ed25519_key() -> bytes:
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


MALFORMED: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "cut off in the first bytes": lambda: CRX[:11],
    "cut off in the header": lambda: CRX[:40],
    "another magic": lambda: b"Cr25" + CRX[4:],
    "CRX2": lambda: CRX[:4] + struct.pack("<I", 2) + CRX[8:],
    "an XPI": lambda: pack_xpi(files()),
    "a header longer than it may be": lambda: CRX[:8] + struct.pack("<I", 2**31) + CRX[12:],
    "an empty header": lambda: crx(b""),
    "a header of nonsense": lambda: crx(b"\xff" * 40),
    "a number that does not end": lambda: crx(b"\x80\x80"),
    "a field that is a number": lambda: crx(b"\x08\x01"),
    "a field that breaks off": lambda: crx(b"\x12\x7f1"),
    "two signed headers": lambda: crx(_field(10_000, b"") * 2),
    "a key that is none": lambda: by(b"key"),
    "a key of a kind that browsers do not take": lambda: by(ed25519_key()),
    "no zip": lambda: sign_crx(b"PK nothing", EC_KEY),
    "a zip that breaks off": lambda: sign_crx(ARCHIVE[:-30], EC_KEY),
    "no manifest": lambda: sign_crx(write_zip({"a": b""}), EC_KEY),
    "a manifest that is no JSON": lambda: sign_crx(write_zip({"manifest.json": b"{"}), EC_KEY),
    "a manifest in another encoding": lambda: sign_crx(write_zip({"manifest.json": b'{"name":"\xff"}'}), EC_KEY),
    "a manifest without a version": lambda: sign_crx(write_zip({"manifest.json": b'{"name":"x"}'}), EC_KEY),
    "a version that is none": lambda: sign_crx(write_zip(files(version="1.x")), EC_KEY),
    "a version of long numbers": lambda: sign_crx(write_zip(files(version="1." + "9" * 5000)), EC_KEY),
    "a file outside": lambda: sign_crx(write_zip({**files(), "../a": b""}), EC_KEY),
    "a file at the root": lambda: sign_crx(write_zip({**files(), "/etc/a": b""}), EC_KEY),
    "a damaged file": lambda: sign_crx(ARCHIVE.replace(ARCHIVE[60:70], b"0123456789", 1), EC_KEY),
    "two files of one name": lambda: sign_crx(twice(), EC_KEY),
}
FORGED: dict[str, Callable[[], bytes]] = {
    "one bit of the archive": lambda: flipped(len(CRX) - 40),
    "one bit of the signature": lambda: flipped(12 + HEADER_BYTES - 30),
    "the archive of another package": lambda: CRX[: 12 + HEADER_BYTES] + write_zip(files(version="9")),
    "no signature at all": lambda: crx(_field(10_000, _field(1, b"\x00" * 16))),
    "the id of another key": of_another_id,
    "another package's signature": lambda: pack_crx(files(version="2"), EC_KEY)[: 12 + HEADER_BYTES] + ARCHIVE,
}


def twice() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("manifest.json", files()["manifest.json"])
        with pytest.warns(UserWarning, match="Duplicate name"):
            made.writestr("manifest.json", b"{}")
    return out.getvalue()


@pytest.mark.parametrize("shape", MALFORMED)
def test_a_crx_that_is_none_is_malformed(shape: str) -> None:
    with pytest.raises(MalformedError):
        read_crx(MALFORMED[shape]())


@pytest.mark.parametrize("shape", FORGED)
def test_a_crx_that_was_changed_has_a_wrong_signature(shape: str) -> None:
    with pytest.raises(SignatureError):
        read_crx(FORGED[shape]())


@pytest.mark.parametrize(
    "raw", [b"", b"PK", CRX[:20], write_zip({}), write_zip(files(browser_specific_settings={}))],
    ids=["nothing", "two letters", "the start of a CRX", "no manifest", "no id"],
)  # fmt: skip
def test_an_xpi_that_is_none_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedError):
        read_xpi(raw)


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = write_zip({**files(), "zeros": b"\0" * 70_000_000})
    assert len(bomb) < 100_000
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("unpacked"))
    for raw, read in ((bomb, read_xpi), (sign_crx(bomb, EC_KEY), read_crx)):
        with pytest.raises(TooLargeError):
            read(raw)


def test_too_many_files_and_too_many_bytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TooLargeError):
        read_crx(b"\0" * (MAX_EXTENSION_BYTES + 1))
    monkeypatch.setattr(archive, "MAX_EXTENSION_FILES", 2)
    with pytest.raises(TooLargeError):
        read_crx(CRX)


@pytest.mark.parametrize(
    "key",
    [rsa.generate_private_key(public_exponent=65_537, key_size=1_024), ec.generate_private_key(ec.SECP384R1())],
    ids=["a short RSA key", "another curve"],
)
def test_a_key_that_browsers_do_not_take_is_refused_at_packing(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
) -> None:
    with pytest.raises(MalformedError):
        pack_crx(files(), key)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(CRX) - 1), st.binary(min_size=1, max_size=8))
def test_whatever_is_changed_our_errors_are_raised(at: int, junk: bytes) -> None:
    changed = CRX[:at] + junk + CRX[at + len(junk) :]
    if changed == CRX:
        return
    with pytest.raises(BadDataError):
        read_crx(changed)


def test_our_errors_are_of_one_family() -> None:
    assert issubclass(BadDataError, AbideError)
