"""From the text of a URL to the host, path and query that a browser would use.

Follows the WHATWG URL standard (https://url.spec.whatwg.org) where it matters for telling hosts apart: user information,
ports, backslashes, control characters, percent-encoded and international host names, trailing dots.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

import idna

_PLAIN = re.compile(r"(?:(?:https?|wss?)://)?([A-Za-z0-9_.-]+)(?::\d+)?(?=[/?#]|\Z)")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_SPECIAL = frozenset({"http", "https", "ws", "wss"})
_CONTROLS = dict.fromkeys(map(ord, "\t\n\r"))
_UNRESERVED = re.compile("%(2d|5f|7e|3[0-9]|4[1-9a-f]|5[0-9a]|6[1-9a-f]|7[0-9a])")
_UNTIDY = re.compile(r"%|//|/\.|\\")


def host_and_rest(url: str) -> tuple[str, str]:
    """Return (host, rest): the host in lower-case ASCII without port and trailing dots, and what follows it.

    The host is empty where there is none or the scheme is not http, https, ws or wss. A text without a scheme is taken
    as a host with an optional path.
    """
    plain = _PLAIN.match(url)
    if plain is None:
        return _carefully(url)
    host = plain[1]
    if host[-1] == ".":
        host = host.rstrip(".")
    return host.lower(), url[plain.end() :]


def plain_path(rest: str) -> str:
    """Return the path of ``rest`` in lower case without a trailing slash.

    Dot segments are resolved, letters and digits decoded, and repeated slashes collapsed, as servers commonly do.
    """
    end = min((i for i in (rest.find("?"), rest.find("#")) if i >= 0), default=len(rest))
    path = rest[:end].lower()
    if _UNTIDY.search(path):
        segments: list[str] = []
        for segment in path.replace("\\", "/").replace("%2e", ".").split("/"):
            if segment == "..":
                del segments[-1:]
            elif segment != ".":
                segments.append(segment)
        decoded = _UNRESERVED.sub(lambda match: chr(int(match[1], 16)), "/".join(segments)).lower()
        path = re.sub("/+", "/", "/" + decoded)
    return path.rstrip("/")


def query_has(rest: str, wanted: str) -> bool:
    """Say whether the query of ``rest`` has the parameter ``wanted`` (``name=value`` in lower case)."""
    query = rest.partition("#")[0].partition("?")[2]
    return any(unquote(part.replace("+", " ")).lower() == wanted for part in query.split("&"))


def _carefully(url: str) -> tuple[str, str]:
    text = url.translate(_CONTROLS).strip("".join(map(chr, range(33))))
    scheme = _SCHEME.match(text)
    if scheme:
        if scheme[1].lower() in _SPECIAL:
            text = text[scheme.end() :].lstrip("/\\")
        elif not re.match(r":\d+(?:[/?#]|\Z)", text[scheme.end() - 1 :]):
            return "", ""
    end = re.search(r"[/\\?#]", text)
    authority = text[: end.start()] if end else text
    rest = text[end.start() :] if end else ""
    host = re.sub(r":\d*\Z", "", authority.rpartition("@")[2])
    return _ascii(unquote(host)), rest


def _ascii(host: str) -> str:
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode()
        except (idna.IDNAError, UnicodeError):
            return ""
    host = host.lower().rstrip(".")
    return "" if re.search(r"[^a-z0-9_.-]", host) else host
