"""Keys for model.sig: ECDSA on P-256, P-384 and P-521, by the optional extra `oms` (cryptography).

Signatures are deterministic (RFC 6979), so signing the same files with the same key gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from strata_git.errors import MissingExtra, StrataError
from strata_git.integrity.oms import Bundle, pre_authentication, unjudgeable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

CURVES = {"secp256r1": "SHA256", "secp384r1": "SHA384", "secp521r1": "SHA512"}
"""The curves of the format's registry, and the hash that goes with each."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that is trusted. `hint` is its name in bundles: SHA-256 of its PEM text, hex. `owner` is whose it is by the
    trust policy (`""`: nobody's there)."""

    hint: str
    pem: bytes
    owner: str = ""


@dataclass(frozen=True, slots=True)
class ModelVerdict:
    """What is known of a model.sig's signature: `good`, `bad`, `unknown-key`, `ended` or `not-judged`.

    `hint` names the key; `sentence` says it for a person. `signer` is whose key it is by the trust policy (`""`:
    nobody's there); `enrolled` is False where there is a policy and the key is none of its people's.
    """

    status: str
    hint: str
    sentence: str
    signer: str = ""
    enrolled: bool = True

    @property
    def good(self) -> bool:
        """Whether a trusted key signed exactly this statement."""
        return self.status == "good"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, ready to sign; `hint` names its public half."""

    hint: str
    _key: ec.EllipticCurvePrivateKey

    def sign(self, payload: bytes) -> bytes:
        """The DSSE signature over `payload` (ECDSA, DER)."""
        return self._key.sign(pre_authentication(payload), _scheme(self._key.curve.name))


def load_public_key(pem: bytes) -> PublicKey:
    """Read a public key (PEM, SubjectPublicKeyInfo). Raises StrataError for any but an EC key on a known curve."""
    _require()
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem)
    except Exception as error:
        raise _unusable("public", "openssl pkey -in KEY.pem -pubout -out PUB.pem") from error
    return PublicKey(*_named(_elliptic(key)))


def load_private_key(pem: bytes, passphrase: bytes | None = None) -> SigningKey:
    """Read a private key (PEM), decrypted with `passphrase` where it needs one.

    Raises StrataError for any but an EC key on a known curve, and for a wrong or missing passphrase.
    """
    _require()
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, passphrase)
    except TypeError:
        told = "needs a passphrase" if passphrase is None else "is not encrypted, and a passphrase was given"
        raise StrataError(f"The private key {told}.", hint="Give it with --passphrase-file FILE.") from None
    except Exception as error:
        hint = "openssl ecparam -name prime256v1 -genkey -noout -out KEY.pem"
        raise _unusable("private", hint) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise _unusable("private", "openssl ecparam -name prime256v1 -genkey -noout -out KEY.pem")
    return SigningKey(_named(_elliptic(key.public_key()))[0], key)


def verify_bundle(bundle: Bundle, trusted: Iterable[PublicKey]) -> ModelVerdict:
    """Judge the signature of a bundle by the keys that are trusted; no key of the bundle's own is ever believed.

    Trusted keys are tried only where the bundle names them, or names none.
    """
    if (reason := unjudgeable(bundle)) is not None:
        return ModelVerdict("not-judged", bundle.hint, f"not judged: {reason}")
    candidates = [key for key in trusted if bundle.hint in ("", key.hint)]
    if candidates:
        _require()
    if not candidates:
        told = f"key {bundle.hint}" if bundle.hint else "a key it does not name"
        return ModelVerdict("unknown-key", bundle.hint, f"not judged: signed with {told}, which is not trusted here")
    for key in candidates:
        if _signed_by(bundle, key):
            who = f"signed by {key.owner}" if key.owner else "by a trusted key"
            return ModelVerdict("good", key.hint, f"valid, {who}", key.owner)
    if not bundle.hint:
        return ModelVerdict("unknown-key", "", "not judged: no trusted key made it")
    return ModelVerdict("bad", bundle.hint, "BAD: what is written is not what was signed")


def _signed_by(bundle: Bundle, key: PublicKey) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    public = _elliptic(load_pem_public_key(key.pem))
    try:
        public.verify(bundle.signature, pre_authentication(bundle.payload), _scheme(public.curve.name))
    except InvalidSignature:
        return False
    return True


def _scheme(curve: str) -> ec.ECDSA:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    digest: hashes.HashAlgorithm = getattr(hashes, CURVES[curve])()
    try:
        return ec.ECDSA(digest, deterministic_signing=True)
    except UnsupportedAlgorithm:  # pragma: no cover - an OpenSSL older than 3.2: still sound, not repeatable
        return ec.ECDSA(digest)


def _elliptic(key: object) -> ec.EllipticCurvePublicKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in CURVES:
        raise StrataError(
            "The key is not an elliptic-curve key on P-256, P-384 or P-521.",
            hint="openssl ecparam -name prime256v1 -genkey -noout -out KEY.pem",
        )
    return key


def _named(key: ec.EllipticCurvePublicKey) -> tuple[str, bytes]:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return sha256(pem).hexdigest(), pem


def _unusable(which: str, hint: str) -> StrataError:
    return StrataError(f"The {which} key cannot be read: a PEM file with an EC key is needed.", hint=hint)


def _require() -> None:
    try:
        import cryptography  # noqa: F401 - asked for by name, so that its absence is told in our words
    except ImportError:
        raise MissingExtra("oms", "A model signature (model.sig)") from None
