"""The one HTTP client: what each answer means, and whom it talks to."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from abide_agent.config import Config
from abide_agent.enrolment import enrol
from abide_agent.transport import HttpError, Transport, check_url, classify, tls_context
from abide_rules.errors import (
    AbideError,
    ConfigurationError,
    ForkError,
    GapError,
    TooLargeError,
    TransportError,
)
from abide_rules.wire import Problem
from tests.agent.extension import token
from tests.agent.repository import Repository
from tests.agent.standin import StandIn, standin


def problem(kind: str, status: int, **more: int) -> bytes:
    return msgspec.json.encode(Problem(f"urn:abide:{kind}", "title", status, **more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (409, problem("gap", 409, expected_seq=7), GapError),
        (409, problem("gap", 409), HttpError),
        (409, problem("gap", 409, expected_seq=0), HttpError),
        (409, problem("fork", 409), ForkError),
        (413, problem("too-large", 413), TooLargeError),
        (413, b"<html>", HttpError),
        (400, problem("gap", 400, expected_seq=7), HttpError),
        (401, problem("unknown-device", 401), HttpError),
        (403, problem("revoked-device", 403), HttpError),
        (400, problem("bad-json", 400), HttpError),
        (404, b"", HttpError),
        (302, b"", HttpError),
        (500, b"\xff\x00", HttpError),
        (503, b'{"type": 5}', HttpError),
        (429, problem("something-new", 429), HttpError),
    ],
)
def test_what_is_not_known_is_kept_and_sent_again(status: int, body: bytes, expected: type[AbideError]) -> None:
    error = classify(status, body)
    assert type(error) is expected
    assert isinstance(error, TransportError) is (expected is HttpError)


@pytest.mark.parametrize(
    ("url", "ok"),
    [
        ("https://abide.example.org:8470", True),
        ("https://abide.example.org/", True),
        ("http://127.0.0.1:8470", True),
        ("http://127.8.9.1", True),
        ("http://[::1]:8470", True),
        ("http://localhost:1", True),
        ("http://abide.example.org", False),
        ("http://127.0.0.1.example.org", False),
        ("http://localhost.example.org", False),
        ("http://10.0.0.1", False),
        ("ftp://127.0.0.1", False),
        ("https://", False),
        ("https://user@host", False),
        ("https://host/?a=b", False),
        ("", False),
    ],
)
def test_plain_http_is_for_loopback_only(url: str, ok: bool) -> None:
    if ok:
        assert not check_url(url).endswith("/")
    else:
        with pytest.raises(ConfigurationError):
            check_url(url)


@pytest.mark.parametrize(
    "ca",
    [" ", "\n", "no pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "/etc/ssl/ca.pem", "é"],
    ids=["a blank", "a newline", "some text", "a broken certificate", "a path", "not ASCII"],
)
def test_a_pin_that_cannot_be_read_is_an_error_and_no_fall_back(ca: str) -> None:
    with pytest.raises(ConfigurationError):
        tls_context(ca)


class Authority:
    """A private authority and a certificate of 127.0.0.1 that it signed."""

    def __init__(self, folder: Path) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        basic = x509.BasicConstraints(ca=True, path_length=None)
        certificate = (
            self._build(name, name, self.key).add_extension(basic, critical=True).sign(self.key, hashes.SHA256())
        )
        self.pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
        leaf = self._build(subject, name, key).add_extension(names, critical=False).sign(self.key, hashes.SHA256())
        folder.mkdir()
        (folder / "cert.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
        (folder / "key.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        self.server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.server.load_cert_chain(folder / "cert.pem", folder / "key.pem")

    @staticmethod
    def _build(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )


async def test_the_pinned_authority_is_the_only_one(tmp_path: Path, config: Config, repository: Repository) -> None:
    right, wrong = Authority(tmp_path / "right"), Authority(tmp_path / "wrong")
    async with standin(repository, right.server) as server:
        for ca in ("", wrong.pem):
            with pytest.raises(TransportError, match="not trusted"):
                await enrol(config, token(server, ca=ca), again=False)
        identity = await enrol(config, token(server, ca=right.pem), again=False)
        assert identity.ca == right.pem


async def test_redirects_are_not_followed(server: StandIn) -> None:
    server.fault = lambda _r: web.Response(status=307, headers={"Location": "http://127.0.0.1:1/"})
    async with Transport(server.url, "") as transport:
        with pytest.raises(HttpError, match="307"):
            await transport.get("/healthz")


async def test_an_endless_answer_is_cut_off(server: StandIn) -> None:
    server.fault = lambda _r: web.Response(body=b"x" * 2_000)
    async with Transport(server.url, "") as transport:
        with pytest.raises(TransportError, match="longer"):
            await transport.get("/healthz", max_bytes=1_999)
        assert len(await transport.get("/healthz", max_bytes=2_000)) == 2_000
