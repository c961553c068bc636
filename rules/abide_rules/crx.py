"""CRX3, the container of Chromium's extensions: a signed header before a zip. Bytes in, bytes out.

Format (``components/crx_file/crx3.proto`` of Chromium): ``Cr24``, version and header length as 32-bit little endian, a
protocol-buffers header with the signatures, the zip. The extension's id follows from the key that signed it, so whoever
holds that key, and nobody else, can update what browsers have installed.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from abide_rules.errors import MalformedError, SignatureError

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

_MAGIC = b"Cr24"
_PREAMBLE = struct.Struct("<4sII")
_VERSION = 3
_CONTEXT = b"CRX3 SignedData\0"
_RSA_PROOFS, _ECDSA_PROOFS, _SIGNED_HEADER = 2, 3, 10_000
_MIN_RSA_BITS = 2_048
_MAX_HEADER_BYTES = 65_536
_TO_LETTERS = str.maketrans("0123456789abcdef", "abcdefghijklmnop")


def extension_id(key: PublicKey) -> str:
    """Return the id that Chromium derives from a public key: 32 letters from a to p."""
    return _id_of(spki(key))


def spki(key: PublicKey) -> bytes:
    """Return a public key as DER, as a manifest's ``key`` holds it (in base64)."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def sign_crx(archive: bytes, key: PrivateKey) -> bytes:
    """Return a CRX3 around a zip. Raises MalformedError when the key is of a kind that Chromium does not take."""
    public = key.public_key()
    _check_key(public)
    header = _field(1, hashlib.sha256(spki(public)).digest()[:16])
    proof = _field(1, spki(public)) + _field(2, _sign(key, _signed_bytes(header, archive)))
    kind = _RSA_PROOFS if isinstance(key, rsa.RSAPrivateKey) else _ECDSA_PROOFS
    head = _field(kind, proof) + _field(_SIGNED_HEADER, header)
    return _PREAMBLE.pack(_MAGIC, _VERSION, len(head)) + head + archive


def open_crx(raw: bytes) -> tuple[str, bytes]:
    """Verify a CRX3 and return its id and its zip. Raises MalformedError or SignatureError."""
    if len(raw) < _PREAMBLE.size:
        raise MalformedError("a CRX that breaks off in its first bytes")
    magic, version, length = _PREAMBLE.unpack_from(raw)
    if magic != _MAGIC or version != _VERSION:
        raise MalformedError("not a CRX3: it does not start with Cr24 and 3")
    body = raw[_PREAMBLE.size :]
    if length > _MAX_HEADER_BYTES or length > len(body):
        raise MalformedError("a CRX that breaks off in its header")
    return _verify(body[:length], body[length:]), body[length:]


def _id_of(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()[:32].translate(_TO_LETTERS)


def _check_key(key: object) -> None:
    match key:
        case rsa.RSAPublicKey() if key.key_size >= _MIN_RSA_BITS:
            return
        case ec.EllipticCurvePublicKey() if isinstance(key.curve, ec.SECP256R1):
            return
    raise MalformedError(f"extensions are signed with RSA of at least {_MIN_RSA_BITS} bits or with ECDSA on P-256")


def _sign(key: PrivateKey, data: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def _signed_bytes(header: bytes, archive: bytes) -> bytes:
    return _CONTEXT + struct.pack("<I", len(header)) + header + archive


def _verify(head: bytes, archive: bytes) -> str:
    """Return the id that the header claims, when all its proofs are right and one is by the key of that id."""
    fields = list(_fields(head))
    signed_headers = [value for number, value in fields if number == _SIGNED_HEADER]
    if len(signed_headers) != 1:
        raise MalformedError("a CRX needs exactly one signed header")
    claimed = dict(_fields(signed_headers[0])).get(1, b"")
    data = _signed_bytes(signed_headers[0], archive)
    proofs = [dict(_fields(value)) for number, value in fields if number in {_RSA_PROOFS, _ECDSA_PROOFS}]
    for proof in proofs:
        _verify_proof(proof.get(1, b""), proof.get(2, b""), data)
    for der in (proof[1] for proof in proofs):
        if hashlib.sha256(der).digest()[:16] == claimed:
            return _id_of(der)
    raise SignatureError("a CRX that is not signed by the key of its own id")


def _verify_proof(der: bytes, signature: bytes, data: bytes) -> None:
    try:
        key = serialization.load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise MalformedError("a CRX with a public key that cannot be read") from error
    _check_key(key)
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as error:
        raise SignatureError("a CRX that was changed after it was signed") from error


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, value: bytes) -> bytes:
    """Return one length-delimited field of a protocol-buffers message."""
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _fields(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the fields of a message that has only length-delimited ones. Raises MalformedError."""
    at = 0
    while at < len(raw):
        tag, at = _read_varint(raw, at)
        if tag & 7 != 2:
            raise MalformedError("a CRX header with a field that is not bytes")
        length, at = _read_varint(raw, at)
        if length > len(raw) - at:
            raise MalformedError("a CRX header with a field that breaks off")
        yield tag >> 3, raw[at : at + length]
        at += length


def _read_varint(raw: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 35, 7):
        if at >= len(raw):
            break
        byte, at = raw[at], at + 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise MalformedError("a CRX header with a number that does not end")
