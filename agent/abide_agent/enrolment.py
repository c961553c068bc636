"""Enrolment: a token buys one thing, the registration of this device's own key."""

from __future__ import annotations

import base64
import binascii
import hashlib
import socket
import sys

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from abide_agent import __version__, platform
from abide_agent.config import Config
from abide_agent.files import make_private_dir
from abide_agent.identity import Identity, create_key, is_enrolled, load_identity, save_identity
from abide_agent.transport import HttpError, Transport, check_url
from abide_rules import envelope as dsse
from abide_rules.errors import BadDataError, ConfigurationError, MalformedError, SignatureError
from abide_rules.i18n import _
from abide_rules.wire import (
    ENROLL_PATH,
    MAX_ENROL_BYTES,
    EnrolmentProof,
    EnrolmentToken,
    EnrolRequest,
    EnrolResponse,
)

TOKEN_PREFIX = "abide1."  # noqa: S105 (a prefix, no secret)
RECEIPT_KEY_BYTES = 32


def parse_token(text: str) -> EnrolmentToken:
    """Return what an enrolment token says. Raises MalformedError."""
    text = "".join(text.split())
    advice = _("Copy the whole token, from abide1. to its last character.")
    if not text.startswith(TOKEN_PREFIX) or len(text) > MAX_ENROL_BYTES:
        raise MalformedError(_("this is not an enrolment token"), advice=advice)
    encoded = text.removeprefix(TOKEN_PREFIX).rstrip("=")
    try:
        raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=EnrolmentToken)
    except (binascii.Error, ValueError) as error:
        raise MalformedError(_("this enrolment token is damaged"), advice=advice) from error


async def enrol(config: Config, token: EnrolmentToken, *, again: bool) -> Identity:
    """Register this device and keep who it is and whom it trusts.

    Raises ConfigurationError (enrolled already, expired, plain http), BadDataError (the server refuses, or its answer
    does not match the token) or TransportError.
    """
    _check_may_enrol(config, token, again)
    make_private_dir(config.state)
    key = create_key(config.key)
    async with Transport(token.url, token.ca) as transport:
        try:
            answer = await transport.post(ENROLL_PATH, _request(token, key), "application/json")
        except HttpError as error:
            raise BadDataError(
                _("the server refused the enrolment: {why}", why=error),
                advice=error.advice or _("Ask your administrator for a new token."),
            ) from error
    identity = _identity(token, key, answer)
    save_identity(config, identity)
    return identity


def _check_may_enrol(config: Config, token: EnrolmentToken, again: bool) -> None:
    check_url(token.url)
    if is_enrolled(config):
        server = load_identity(config).server
        if not again:
            raise ConfigurationError(
                _("this device is enrolled with {server} already", server=server),
                advice=_("To enrol with the same server once more, add --again."),
            )
        if server != check_url(token.url):
            raise ConfigurationError(
                _("this device belongs to {server}, the token to {other}", server=server, other=token.url),
                advice=_("Choose another --state, or delete this one first."),
            )
    if token.expires < platform.wall_ms():
        raise ConfigurationError(
            _("this enrolment token has expired"),
            advice=_("Ask your administrator for a new token; check this computer's date."),
        )


def _request(token: EnrolmentToken, key: Ed25519PrivateKey) -> bytes:
    proof = EnrolmentProof(
        token=token.id,
        public_key=base64.b64encode(key.public_key().public_bytes_raw()).decode(),
        name=socket.gethostname(),
        platform=sys.platform,
        agent_version=__version__,
        time=platform.wall_ms(),
    )
    signed = dsse.sign(dsse.ENROLMENT_TYPE, msgspec.json.encode(proof), key)
    return msgspec.json.encode(EnrolRequest(token.id, token.secret, dsse.encode(signed).decode()))


def _identity(token: EnrolmentToken, key: Ed25519PrivateKey, answer: bytes) -> Identity:
    try:
        response = msgspec.json.decode(answer, type=EnrolResponse)
        receipt_key = base64.b64decode(response.receipt_key, validate=True)
        root = base64.b64decode(response.root, validate=True)
    except (msgspec.MsgspecError, ValueError) as error:
        raise MalformedError(_("the server's answer makes no sense: {why}", why=error)) from error
    if hashlib.sha256(root).hexdigest() != token.root_sha256:
        raise SignatureError(
            _("the server's trust root is not the one that the token names"),
            advice=_("Somebody may stand between you and the server. Tell your administrator."),
        )
    if response.device != dsse.device_id(key.public_key().public_bytes_raw()):
        raise BadDataError(_("the server registered another key than this device's"))
    if len(receipt_key) != RECEIPT_KEY_BYTES:
        raise MalformedError(_("the server's answer makes no sense: {why}", why="receipt_key"))
    return Identity(
        device=response.device,
        server=check_url(token.url),
        group=token.group,
        receipt_key=receipt_key,
        root=root,
        root_sha256=token.root_sha256,
        ca=token.ca,
        enrolled_at=response.time,
    )
