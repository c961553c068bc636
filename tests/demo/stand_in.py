"""A stand-in for the web: a proxy that is every host itself, so that nothing leaves this machine."""

from __future__ import annotations

import base64
import contextlib
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
    """The server and its authority. ``hits`` has (host, path) of each request that reached it.

    A test puts its own answers (status, headers, body) into ``answers``, by host and path without query.
    """

    def __init__(self, folder: Path) -> None:
        self.hits: list[tuple[str, str]] = []
        self.answers: dict[str, Answer] = {}
        self._certificates = Certificates(folder)
        handler = _handler(self.hits, self.answers, self._certificates.context)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="stand-in", daemon=True)
        self._thread.start()

    @property
    def flags(self) -> list[str]:
        """The flags with which Chromium takes this server for its proxy and accepts its certificates, and no others."""
        return [
            f"--proxy-server=http://127.0.0.1:{self._server.server_address[1]}",
            f"--ignore-certificate-errors-spki-list={self._certificates.spki}",
        ]

    @property
    def preferences(self) -> dict[str, bool | int | str]:
        """The preferences with which Firefox takes this server for its proxy; it must also trust ``authority``."""
        port = int(self._server.server_address[1])
        hosts: dict[str, bool | int | str] = {"network.proxy.http": "127.0.0.1", "network.proxy.ssl": "127.0.0.1"}
        return hosts | {"network.proxy.type": 1, "network.proxy.http_port": port, "network.proxy.ssl_port": port}

    @property
    def authority(self) -> str:
        """The authority that signs for every host, in base64."""
        return base64.b64encode(self._certificates.authority.public_bytes(serialization.Encoding.DER)).decode()

    def reached(self, host: str) -> bool:
        """Whether any request reached this host; browsers also ask hosts of their own makers."""
        return any(asked == host for asked, _path in self.hits)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(
    hits: list[tuple[str, str]], answers: dict[str, Answer], tls: ssl.SSLContext
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            """Be the host that the browser asks this proxy for."""
            self.send_response(200)
            self.end_headers()
            self.request = tls.wrap_socket(self.connection, server_side=True)
            self.setup()
            self.close_connection = False

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

        def handle(self) -> None:
            """A browser that hangs up, or does not trust us yet, is no error here."""
            with contextlib.suppress(OSError):
                super().handle()

        def finish(self) -> None:
            super().finish()
            self.connection.close()

        def log_message(self, *_arguments: object) -> None:
            pass

    return Handler


class Certificates:
    """An authority made for the occasion, and a certificate for each host as it is asked for; one key for them all."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, threading.Lock()
        self._signer = ec.generate_private_key(ec.SECP256R1())
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.authority = self._certificate("stand-in authority", self._signer)
        public = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.spki = base64.b64encode(hashlib.sha256(public).digest()).decode()
        self._made: dict[str, ssl.SSLContext] = {}
        self.context = self._context("stand-in.invalid")
        self.context.sni_callback = self._choose

    def _choose(self, line: ssl.SSLObject, host: str, _context: ssl.SSLContext) -> None:
        with self._lock:
            if host and host not in self._made:
                self._made[host] = self._context(host)
        line.context = self._made.get(host, self.context)

    def _context(self, host: str) -> ssl.SSLContext:
        pem = self._folder / f"{hashlib.sha256(host.encode()).hexdigest()[:16]}.pem"
        pem.write_bytes(
            self._key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + self._certificate(host, self._key).public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        pem.unlink()
        return context

    def _certificate(self, name: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in authority")])
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])]))
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=7))
            .add_extension(x509.BasicConstraints(ca=key is self._signer, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name.replace(" ", "-"))]), critical=False)
            .sign(self._signer, hashes.SHA256())
        )
