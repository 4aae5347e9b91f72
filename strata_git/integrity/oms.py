"""model.sig: the OpenSSF Model Signing format, version 1.0, read and written as text. Pure: no key is touched here.

A Sigstore bundle (v0.3) holds a DSSE envelope, whose payload is an in-toto Statement v1 with the predicate type
`https://model_signing/signature/v1.0`. The predicate lists every file with its SHA-256, which is what CHECKSUMS.txt
lists too: so a model.sig is compared with the list, and a Git LFS pointer is enough to judge it.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from strata_git.contracts.layout import CHECKSUMS, MODEL_SIG, SIGNATURE
from strata_git.errors import printable
from strata_git.load import Unloadable, canonical_json, load_json

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
IGNORED = (".git", ".gitattributes", ".github", ".gitignore", SIGNATURE, MODEL_SIG)
"""What a bundle of ours leaves out: the format's own four, and what signs the list."""
SIZE_LIMIT = 16 << 20
"""Bytes a model.sig may have."""
METHODS = {"publicKey": "key", "x509CertificateChain": "certificate", "certificate": "sigstore"}
"""How a bundle says by what it is signed."""

_MEDIA_TYPES = re.compile(r"application/vnd\.dev\.sigstore\.bundle(?:\.v0\.3\+json|\+json;version=0\.[123])")
_DIGITS = {"sha256": 64, "blake2b": 128, "blake3": 64}


class OmsError(ValueError):
    """A model.sig that is not what the specification describes; one line, printable."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the signed statement says: `resources` maps names to hex digests in `algorithm`.

    `method` is `files` (a name is a path) or `shards` (a name is `path:start:end`); `subject` is informational.
    """

    subject: str
    resources: Mapping[str, str]
    algorithm: str
    method: str
    ignored: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model.sig taken apart; nothing in it is verified yet.

    `signer` is `key`, `certificate` or `sigstore`; `hint` names the public key (SHA-256 of its PEM text, hex), or is
    `""` where the bundle does not say.
    """

    signer: str
    hint: str
    payload: bytes
    signature: bytes
    manifest: Manifest


def pre_authentication(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """What is signed in place of the payload (DSSE protocol 1.0: PAE)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def write_statement(subject: str, sums: Mapping[str, str]) -> bytes:
    """The statement that `subject` consists of the files `sums` (path → SHA-256 hex): the same bytes every time.

    Raises OmsError where there are none.
    """
    if not sums:
        raise OmsError("there is no file to sign")
    names = sorted(sums)
    return canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": subject, "digest": {"sha256": root_digest({name: sums[name] for name in names})}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "resources": [{"name": name, "algorithm": "sha256", "digest": sums[name]} for name in names],
                "serialization": {
                    "method": "files",
                    "hash_type": "sha256",
                    "allow_symlinks": False,
                    "ignore_paths": sorted(IGNORED),
                },
            },
        }
    )


def write_bundle(payload: bytes, signature: bytes, hint: str) -> bytes:
    """The bytes of a model.sig, signed with the key that `hint` names."""
    return (
        canonical_json(
            {
                "mediaType": MEDIA_TYPE,
                "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []},
                "dsseEnvelope": {
                    "payload": b64encode(payload).decode(),
                    "payloadType": PAYLOAD_TYPE,
                    "signatures": [{"sig": b64encode(signature).decode(), "keyid": ""}],
                },
            }
        )
        + b"\n"
    )


def read_bundle(data: bytes) -> Bundle:
    """Take a model.sig apart; raises OmsError for what the specification does not allow."""
    document = _mapping(_json(data, "model.sig"), "the bundle")
    media = _text(document.get("mediaType"), "mediaType")
    if not _MEDIA_TYPES.fullmatch(media):
        raise OmsError(f"mediaType '{printable(media[:80])}' is none of a Sigstore bundle")
    material = _mapping(document.get("verificationMaterial"), "verificationMaterial")
    found = [key for key in METHODS if material.get(key) is not None]
    if len(found) != 1:
        raise OmsError("verificationMaterial names no key and no certificate, or more than one of them")
    envelope = _mapping(document.get("dsseEnvelope"), "dsseEnvelope")
    if envelope.get("payloadType") != PAYLOAD_TYPE:
        raise OmsError(f"payloadType is not '{PAYLOAD_TYPE}'")
    signatures = envelope.get("signatures")
    if not isinstance(signatures, list) or len(signatures) != 1:
        raise OmsError("the envelope does not hold exactly one signature")
    signature = _bytes(_mapping(signatures[0], "the signature").get("sig"), "sig")
    payload = _bytes(envelope.get("payload"), "payload")
    signer = METHODS[found[0]]
    if signer == "sigstore" and not material.get("tlogEntries"):
        raise OmsError("a Sigstore certificate stands without its entry in a transparency log")
    hint = _hint(_mapping(material[found[0]], found[0])) if signer == "key" else ""
    return Bundle(signer, hint, payload, signature, _manifest(payload))


def root_digest(resources: Mapping[str, str]) -> str:
    """The digest of a whole model: SHA-256 over the files' raw digests, in the order they are listed (hex).

    The specification sorts them by name; the model-signing tool sorts by the parts of paths, which is not always the
    same. Both take the digest in the order they write.
    """
    return sha256(b"".join(bytes.fromhex(digest) for digest in resources.values())).hexdigest()


def unjudgeable(bundle: Bundle) -> str | None:
    """Why nothing can be said of a bundle here, as the rest of a sentence; None when it can be judged."""
    if bundle.signer != "key":
        what = "by certificate" if bundle.signer == "certificate" else "keyless, by a Sigstore identity"
        return f"it is signed {what}; verify it with the model-signing tool"
    if bundle.manifest.method != "files":
        return "it lists parts of files (shards); verify it with the model-signing tool"
    if bundle.manifest.algorithm != "sha256":
        return f"it lists {bundle.manifest.algorithm} digests; verify it with the model-signing tool"
    return None


def differences(manifest: Manifest, sums: Mapping[str, str], beside: Mapping[str, str]) -> Iterator[str]:
    """Sentences on what a manifest of files says otherwise than the list `sums` (path → SHA-256 hex).

    `beside` are CHECKSUMS.txt and SIGNATURE.asc, which a manifest may name or not; what it names must be true.
    """
    for name in sorted(sums.keys() - manifest.resources.keys()):
        yield f"'{printable(name)}' is in {CHECKSUMS} and not among what is signed"
    for name, digest in manifest.resources.items():
        true = sums.get(name) or beside.get(name)
        if true is None:
            yield f"'{printable(name)}' is signed and not in {CHECKSUMS}"
        elif true != digest:
            where = f"{CHECKSUMS} lists" if name in sums else "the file has"
            yield f"'{printable(name)}' is signed as sha256 {digest}, {where} {true}"


def _manifest(payload: bytes) -> Manifest:
    statement = _mapping(_json(payload, "the payload"), "the statement")
    if statement.get("_type") != STATEMENT_TYPE:
        raise OmsError(f"the statement's _type is not '{STATEMENT_TYPE}'")
    if statement.get("predicateType") != PREDICATE_TYPE:
        raise OmsError(f"the statement's predicateType is not '{PREDICATE_TYPE}'")
    subjects = statement.get("subject")
    if not isinstance(subjects, list) or len(subjects) != 1:
        raise OmsError("the statement does not have exactly one subject")
    subject = _mapping(subjects[0], "the subject")
    predicate = _mapping(statement.get("predicate"), "the predicate")
    serialization = _mapping(predicate.get("serialization"), "serialization")
    algorithm = _text(serialization.get("hash_type"), "hash_type")
    method = _text(serialization.get("method"), "method")
    if algorithm not in _DIGITS or method not in ("files", "shards"):
        raise OmsError(f"serialization '{printable(method[:40])}' with '{printable(algorithm[:40])}' is unknown")
    if type(serialization.get("allow_symlinks")) is not bool:
        raise OmsError("serialization does not say allow_symlinks")
    ignored = serialization.get("ignore_paths") or []
    if not isinstance(ignored, list) or not all(isinstance(path, str) for path in ignored):
        raise OmsError("ignore_paths is no list of paths")
    resources = _resources(predicate.get("resources"), algorithm)
    said = _mapping(subject.get("digest"), "the subject's digest").get("sha256")
    if said != root_digest(resources):
        raise OmsError("the subject's digest is not that of the files listed")
    return Manifest(_text(subject.get("name"), "name"), resources, algorithm, method, tuple(ignored))


def _resources(rows: object, algorithm: str) -> dict[str, str]:
    if not isinstance(rows, list) or not rows:
        raise OmsError("no resources are listed")
    found: dict[str, str] = {}
    for row in rows:
        told = _mapping(row, "a resource")
        name, digest = _text(told.get("name"), "name"), _text(told.get("digest"), "digest")
        shown = printable(name[:80])
        if told.get("algorithm") != algorithm or not re.fullmatch(f"[0-9a-f]{{{_DIGITS[algorithm]}}}", digest):
            raise OmsError(f"the digest of '{shown}' is no {algorithm} in lower-case hex")
        if not {"", ".", ".."}.isdisjoint(name.split("/")) or "\0" in name:
            raise OmsError(f"'{shown}' is no plain relative path")
        if name in found:
            raise OmsError(f"'{shown}' is listed twice")
        found[name] = digest
    return found


def _hint(key: Mapping[str, object]) -> str:
    """The key's name. Bundles of before 1.1 hold the public key itself in its place."""
    hint = key.get("hint")
    if isinstance(hint, str) and hint:
        return hint.lower()
    raw = key.get("rawBytes")
    return sha256(_bytes(raw, "rawBytes")).hexdigest() if raw else ""


def _json(data: bytes, what: str) -> object:
    try:
        return load_json(data, limit=SIZE_LIMIT).value
    except Unloadable as error:
        raise OmsError(f"{what} is not JSON: {printable(error.message)}") from None


def _mapping(value: object, what: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise OmsError(f"{what} is missing or no object")
    return value


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise OmsError(f"{what} is missing or no text")
    return value


def _bytes(value: object, what: str) -> bytes:
    try:
        return b64decode(_text(value, what), validate=True)
    except (binascii.Error, ValueError) as error:
        raise OmsError(f"{what} is not base64" if not isinstance(error, OmsError) else str(error)) from None
