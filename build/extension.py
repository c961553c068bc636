"""Packs the browser extension: ``python build/extension.py --key FILE --out dist [--update-url URL] [--version V]``.

Writes ``extension/abide-<version>.crx``, ``.xpi`` and ``extension.json`` (what the agent's ``bundle()`` reads) below
``--out``. The key is the extension's identity: keep it for ever, away from this machine; it is made when it is missing.
``--update-url`` is the folder in which a server publishes packages, ``https://…/extension/``; without it the browser
learns of new versions from its policy alone.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from abide_rules.errors import AbideError, ConfigurationError
from abide_rules.extension_package import PrivateKey, pack_crx, pack_xpi, read_crx, read_xpi
from abide_rules.files import write_atomic

SOURCE = Path(__file__).parent.parent / "extension"
RSA_BITS = 2_048
LEFT_OUT = {".md"}


def main() -> int:
    """Pack, verify what was packed, and say where it is."""
    options = _parse()
    try:
        described = pack(options.key, options.out / "extension", options.update_url, options.version)
    except AbideError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    print(json.dumps(described, indent=2))
    return 0


def pack(key_file: Path, out: Path, update_url: str = "", version: str = "") -> dict[str, str]:
    """Write the packages and their description; return the description. Raises AbideError."""
    files = {path.relative_to(SOURCE).as_posix(): path.read_bytes() for path in SOURCE.rglob("*") if _belongs(path)}
    if version:
        manifest = json.loads(files["manifest.json"])
        files["manifest.json"] = json.dumps(manifest | {"version": version}).encode()
    key = _load_key(key_file)
    crx = pack_crx(files, key, update_url=update_url and update_url.rstrip("/") + "/update.xml")
    secure = update_url.startswith("https://")  # Firefox takes no other.
    xpi = pack_xpi(files, update_url=update_url.rstrip("/") + "/updates.json" if secure else "")
    chromium, firefox = read_crx(crx), read_xpi(xpi)
    name = f"abide-{chromium.version}"
    described = {
        "chromium_id": chromium.id,
        "firefox_id": firefox.id,
        "version": chromium.version,
        "crx": f"{name}.crx",
        "xpi": f"{name}.xpi",
    }
    out.mkdir(parents=True, exist_ok=True)
    for old in {*out.glob("abide-*.crx"), *out.glob("abide-*.xpi")}:
        old.unlink()
    write_atomic(out / described["crx"], crx, 0o644)
    write_atomic(out / described["xpi"], xpi, 0o644)
    write_atomic(out / "extension.json", json.dumps(described, indent=2).encode() + b"\n", 0o644)
    return described


def _belongs(path: Path) -> bool:
    return path.is_file() and path.suffix not in LEFT_OUT and not path.name.startswith(".")


def _load_key(path: Path) -> PrivateKey:
    if not path.exists():
        _make_key(path)
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(f"{path} cannot be used: {error}") from error
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ConfigurationError(f"{path} is neither an RSA key nor an ECDSA key")
    return key


def _make_key(path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65_537, key_size=RSA_BITS)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
    print(f"made a new key: {path}. Keep it: whoever loses it cannot update what is installed.", file=sys.stderr)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--key", type=Path, required=True, metavar="FILE")
    parser.add_argument("--out", type=Path, default=Path("dist"), metavar="DIR")
    parser.add_argument("--update-url", default="", metavar="URL")
    parser.add_argument("--version", default="", metavar="V", help="instead of the manifest's")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
