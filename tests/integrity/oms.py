"""Keys and bundles for tests of model.sig."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

CURVES: dict[str, ec.EllipticCurve] = {
    "secp256r1": ec.SECP256R1(),
    "secp384r1": ec.SECP384R1(),
    "secp521r1": ec.SECP521R1(),
    "secp256k1": ec.SECP256K1(),
}


def key_pair(curve: str = "secp256r1", passphrase: bytes = b"") -> tuple[bytes, bytes]:
    """A fresh private and public key, PEM."""
    key = ed25519.Ed25519PrivateKey.generate() if curve == "ed25519" else ec.generate_private_key(CURVES[curve])
    locked = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked)
    return private, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def edited(bundle: bytes, change: Callable[[Any], object]) -> bytes:
    """The bundle after `change` of its outer object; what is signed stays."""
    said = json.loads(bundle)
    change(said)
    return json.dumps(said).encode()
