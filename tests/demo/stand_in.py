"""A stand-in for the web: every host name leads to a local TLS server, so that nothing leaves this machine."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{host}</title>
<style>body{{font:16px/1.5 system-ui;max-width:40rem;margin:4rem auto;padding:0 1rem}}</style>
<h1>{host}</h1><p>This page stands in for the real service. Nothing you type leaves this machine.</p>
<p><textarea aria-label="Message" rows="4" cols="50" placeholder="Message {host}"></textarea></p>"""


Answer = tuple[int, dict[str, str], str]


class StandIn:
    """The server and its certificate. ``hits`` has (host, path) of each request that reached it.

    A test puts its own answers (status, headers, body) into ``answers``, by host and path without query.
    """

    def __init__(self, folder: Path) -> None:
        self.hits: list[tuple[str, str]] = []
        self.answers: dict[str, Answer] = {}
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(key)
        pem = folder / "stand-in.pem"
        pem.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        spki = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._spki = base64.b64encode(hashlib.sha256(spki).digest()).decode()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self.hits, self.answers))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, name="stand-in", daemon=True)
        self._thread.start()

    @property
    def flags(self) -> list[str]:
        """The flags with which Chromium sends every host here and accepts the certificate, and no other."""
        port = self._server.server_address[1]
        return [
            f"--host-resolver-rules=MAP * 127.0.0.1:{port}, EXCLUDE 127.0.0.1, EXCLUDE localhost",
            f"--ignore-certificate-errors-spki-list={self._spki}",
        ]

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(hits: list[tuple[str, str]], answers: dict[str, Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host = self.headers.get("Host", "").partition(":")[0]
            hits.append((host, self.path))
            page: Answer = (200, {}, PAGE.format(host=host))
            status, headers, text = answers.get(host + self.path.partition("?")[0], page)
            body = text.encode()
            self.send_response(status)
            for name, value in ({"Content-Type": "text/html; charset=utf-8"} | headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_arguments: object) -> None:
            pass

    return Handler


def _certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in.invalid")])
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=7))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("stand-in.invalid")]), critical=False)
        .sign(key, hashes.SHA256())
    )
