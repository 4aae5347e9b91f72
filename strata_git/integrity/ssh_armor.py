"""SSH signatures as text: the armor, and whose it claims to be (PROTOCOL.sshsig of OpenSSH). Pure."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from hashlib import sha256

BEGIN = b"-----BEGIN SSH SIGNATURE-----\n"
ARMOR = re.compile(BEGIN + rb"((?:[A-Za-z0-9+/=]{1,76}\n){1,2000})-----END SSH SIGNATURE-----\n")


def fingerprint_of(public_key: bytes) -> str:
    """`SHA256:...`, as `ssh-keygen -l` prints it."""
    return "SHA256:" + b64encode(sha256(public_key).digest()).decode().rstrip("=")


def signature_bytes(armored: bytes) -> bytes:
    """What is inside the armor; ValueError when it is not one armored SSH signature."""
    match = ARMOR.fullmatch(armored)
    if match is None:
        raise ValueError("not one armored SSH signature")
    return b64decode(match[1].replace(b"\n", b""), validate=True)


def read_signature(signature: bytes) -> tuple[bytes, bytes]:
    """(public key, namespace) that an armored SSH signature claims; ValueError when it is not one."""
    blob = signature_bytes(signature)
    if blob[:10] != b"SSHSIG\x00\x00\x00\x01":
        raise ValueError("not an SSH signature of version 1")
    public_key, rest = _string(blob[10:])
    namespace, _ = _string(rest)
    return public_key, namespace


def weak(public_key: bytes) -> bool:
    """Whether a public key is DSA, or RSA of less than 3072 bits; raises ValueError when it is cut short."""
    kind, rest = _string(public_key)
    if kind != b"ssh-rsa":
        return kind == b"ssh-dss"
    _, rest = _string(rest)
    modulus, _ = _string(rest)
    return int.from_bytes(modulus, "big").bit_length() < 3072


def _string(data: bytes) -> tuple[bytes, bytes]:
    """The first length-prefixed string of `data`, and what follows it."""
    length = int.from_bytes(data[:4], "big")
    if len(data) < 4 + length or len(data) < 4:
        raise ValueError("cut short")
    return data[4 : 4 + length], data[4 + length :]
