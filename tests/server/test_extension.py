"""The published extension: taken over verified, served as browsers ask for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from abide_rules.errors import AbideError, ConfigurationError, MalformedError, SignatureError
from abide_rules.extension_package import extension_id, pack_crx, pack_xpi
from abide_server.extension import load_published, publish_extension
from tests.server.conftest import House
from tests.server.house import problem, run

KEY, OTHER_KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
ID = extension_id(KEY.public_key())
APP = "{http://www.google.com/update2/response}"


def packages(version: str, key: ec.EllipticCurvePrivateKey = KEY) -> tuple[bytes, bytes]:
    manifest = {
        "manifest_version": 3,
        "name": "x",
        "version": version,
        "browser_specific_settings": {"gecko": {"id": "x@example"}},
    }
    files = {"manifest.json": json.dumps(manifest).encode()}
    return pack_crx(files, key), pack_xpi(files)


@pytest.fixture
def published(house: House) -> House:
    publish_extension(house.data.extension, *packages("1.10.0"), replace=False)
    return house


def apps(body: bytes) -> list[tuple[str, str, dict[str, str]]]:
    """(appid, status, attributes of its updatecheck)"""
    return [
        (
            app.get("appid", ""),
            app.get("status", ""),
            dict(check.attrib if (check := app.find("*")) is not None else {}),
        )
        for app in ElementTree.fromstring(body)
    ]


def x(extension: str, version: str = "") -> str:
    return "x=" + quote(f"id={extension}&v={version}&installsource=policy&uc" if version else f"id={extension}&uc")


NEWEST = (ID, "ok", {"codebase": "/extension/abide-1.10.0.crx", "version": "1.10.0", "status": "ok"})
UPDATES: dict[str, tuple[str, list[tuple[str, str, dict[str, str]]]]] = {
    "nothing asked: ours": ("", [NEWEST]),
    "ours, not yet there": (x(ID, "0.0.0.0"), [NEWEST]),
    "ours, older": (x(ID, "1.9.9"), [NEWEST]),
    "ours, the same": (x(ID, "1.10"), [(ID, "ok", {"status": "noupdate"})]),
    "ours, newer": (x(ID, "2"), [(ID, "ok", {"status": "noupdate"})]),
    "another one": (x("a" * 32, "1"), [("a" * 32, "error-unknownApplication", {})]),
    "both": (x("b" * 32) + "&" + x(ID), [("b" * 32, "error-unknownApplication", {}), NEWEST]),
    "no id at all": ("x=nonsense&x=" + quote("id=<script>"), [NEWEST]),
}


@pytest.mark.parametrize("case", UPDATES)
async def test_chromium_is_answered_for_what_it_asks(published: House, case: str) -> None:
    query, expected = UPDATES[case]
    status, body, headers = await published.get(f"/extension/update.xml?os=linux&{query}")
    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, "text/xml", "no-cache")
    with_host = [
        (a, s, c | ({"codebase": published.url + c["codebase"]} if "codebase" in c else {})) for a, s, c in expected
    ]
    assert apps(body) == with_host


async def test_firefox_is_told_the_newest_with_its_hash(published: House) -> None:
    import hashlib

    status, body, _ = await published.get("/extension/updates.json")
    (update,) = json.loads(body)["addons"]["x@example"]["updates"]
    status, xpi, headers = await published.get(update["update_link"].removeprefix(published.url))
    assert (status, headers["Content-Type"]) == (200, "application/x-xpinstall")
    assert update["update_hash"] == "sha256:" + hashlib.sha256(xpi).hexdigest()
    assert (await published.get("/extension/abide.xpi"))[1] == xpi == packages("1.10.0")[1]


@pytest.mark.parametrize(
    ("name", "caching"),
    [("update.xml", "no-cache"), ("updates.json", "no-cache"), ("abide.xpi", "no-cache"),
     ("abide-1.10.0.crx", "immutable"), ("abide-1.10.0.xpi", "immutable")],
)  # fmt: skip
async def test_what_is_unchanged_is_not_sent_again(published: House, name: str, caching: str) -> None:
    status, body, headers = await published.get(f"/extension/{name}")
    assert status == 200
    assert body
    assert caching in headers["Cache-Control"]
    status, body, _ = await published.get(f"/extension/{name}", **{"If-None-Match": headers["Etag"]})
    assert (status, body) == (304, b"")


@pytest.mark.parametrize("name", ["update.xml", "updates.json", "abide.xpi", "abide-1.0.crx"])
async def test_without_a_package_the_answer_says_what_to_do(house: House, name: str) -> None:
    status, body, _ = await house.get(f"/extension/{name}")
    assert status == 404
    assert "abide-server extension" in problem(body).advice


@pytest.mark.parametrize("name", ["abide-9.crx", "published.json", "%2e%2e%2fserver.json", "..%2Fkeys%2Fpolicy.pem"])
async def test_nothing_else_is_served(published: House, name: str) -> None:
    status, _, _ = await published.get(f"/extension/{name}")
    assert status == 404


async def test_the_previous_version_stays_and_the_one_before_goes(published: House) -> None:
    for version in ("1.11.0", "1.12.0"):
        publish_extension(published.data.extension, *packages(version), replace=False)
    got = {v: (await published.get(f"/extension/abide-{v}.crx"))[0] for v in ("1.12.0", "1.11.0", "1.10.0")}
    assert got == {"1.12.0": 200, "1.11.0": 200, "1.10.0": 404}


CRX, XPI = packages("1.10.0")
OTHER = b'{"manifest_version":3,"name":"y","version":"1.10.0"}'
REFUSED: dict[str, tuple[Callable[[], tuple[bytes, bytes]], type[AbideError]]] = {
    "a lower version": (lambda: packages("1.9.0"), ConfigurationError),
    "other bytes of the same version": (lambda: (pack_crx({"manifest.json": OTHER}, KEY), XPI), ConfigurationError),
    "another key": (lambda: packages("2.0", OTHER_KEY), ConfigurationError),
    "versions that differ": (lambda: (packages("2.0")[0], packages("2.1")[1]), MalformedError),
    "a CRX that was changed": (lambda: (CRX[:-30] + b"\0" * 30, XPI), SignatureError),
    "the two exchanged": (lambda: (XPI, CRX), MalformedError),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_browsers_would_not_take_is_not_published(tmp_path: Path, case: str) -> None:
    publish_extension(tmp_path, CRX, XPI, replace=False)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    make, error = REFUSED[case]
    with pytest.raises(error):
        publish_extension(tmp_path, *make(), replace=False)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_the_same_again_is_fine_and_what_is_meant_can_be_forced(tmp_path: Path) -> None:
    first = publish_extension(tmp_path, CRX, XPI, replace=False)
    assert publish_extension(tmp_path, CRX, XPI, replace=False) == first == load_published(tmp_path)
    assert publish_extension(tmp_path, *packages("1.0", OTHER_KEY), replace=True).version == "1.0"


def test_a_broken_note_of_what_is_published_is_said(tmp_path: Path) -> None:
    (tmp_path / "published.json").write_text("{")
    with pytest.raises(ConfigurationError):
        load_published(tmp_path)


def test_the_command_publishes_and_prints_policies_to_paste(tmp_path: Path) -> None:
    data = tmp_path / "data"
    run("init", "--data", str(data), "--url", "http://127.0.0.1:8470")
    (tmp_path / "a.crx").write_bytes(CRX)
    (tmp_path / "a.xpi").write_bytes(XPI)
    here = ("--data", str(data))
    nothing = run("extension", *here)
    assert (nothing.returncode, "abide-server extension" in nothing.stderr) == (1, True)
    assert run("extension", str(tmp_path / "a.crx"), *here).returncode == 2
    told = run("extension", str(tmp_path / "a.xpi"), str(tmp_path / "a.crx"), *here)
    assert told.returncode == 0
    assert ID in told.stdout
    assert "Firefox ESR" in told.stdout
    found: dict[str, Any] = json.loads(run("extension", *here, "--json").stdout)
    assert (found["chromium_id"], found["firefox_id"], found["version"]) == (ID, "x@example", "1.10.0")
    chromium = json.loads(run("extension", *here, "--policy", "chromium").stdout)
    assert chromium == found["policies"]["chromium"]
    assert chromium["ExtensionSettings"][ID]["update_url"] == "http://127.0.0.1:8470/extension/update.xml"
    assert chromium["3rdparty"]["extensions"][ID] == {"trust_first_agent": True}
    firefox = json.loads(run("extension", *here, "--policy", "firefox", "--json").stdout)["policies"]
    assert firefox["ExtensionSettings"]["x@example"]["install_url"] == "http://127.0.0.1:8470/extension/abide.xpi"
