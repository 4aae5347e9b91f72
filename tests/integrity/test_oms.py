"""model.sig as text: what we write is read back, what is not in the format is refused, and says why."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata_git.errors import StrataError
from strata_git.integrity.oms import (
    OmsError,
    differences,
    pre_authentication,
    read_bundle,
    unjudgeable,
    write_bundle,
    write_statement,
)
from strata_git.integrity.oms_keys import load_private_key, load_public_key, verify_bundle
from tests.integrity.oms import edited, key_pair

A, B = sha256(b"a").hexdigest(), sha256(b"b").hexdigest()
SUMS = {"a.bin": A, "sub/b.bin": B}
PRIVATE, PUBLIC = key_pair()
SIGNER, TRUSTED = load_private_key(PRIVATE), load_public_key(PUBLIC)
PAYLOAD = write_statement("forest@v1", SUMS)
SIGNED = write_bundle(PAYLOAD, SIGNER.sign(PAYLOAD), SIGNER.hint)


def test_what_is_written_is_read_and_verified() -> None:
    bundle = read_bundle(SIGNED)
    assert (bundle.signer, bundle.hint) == ("key", SIGNER.hint)
    assert bundle.manifest.resources == SUMS
    assert bundle.manifest.subject == "forest@v1"
    verdict = verify_bundle(bundle, [TRUSTED])
    assert (verdict.status, verdict.good, verdict.hint) == ("good", True, SIGNER.hint)


def test_the_statement_says_what_the_specification_asks() -> None:
    said = json.loads(PAYLOAD)
    assert said["_type"] == "https://in-toto.io/Statement/v1"
    assert said["predicateType"] == "https://model_signing/signature/v1.0"
    root = sha256(bytes.fromhex(A) + bytes.fromhex(B)).hexdigest()
    assert said["subject"] == [{"name": "forest@v1", "digest": {"sha256": root}}]
    serialization = said["predicate"]["serialization"]
    assert (serialization["method"], serialization["hash_type"]) == ("files", "sha256")
    assert serialization["allow_symlinks"] is False
    assert serialization["ignore_paths"] == sorted(serialization["ignore_paths"])
    assert {".git", ".gitignore", ".gitattributes", ".github", "model.sig"} <= set(serialization["ignore_paths"])


def test_signing_again_gives_the_same_bytes() -> None:
    assert write_bundle(PAYLOAD, SIGNER.sign(PAYLOAD), SIGNER.hint) == SIGNED
    assert write_statement("forest@v1", dict(reversed(SUMS.items()))) == PAYLOAD


def test_what_is_signed_is_the_dsse_encoding() -> None:
    assert pre_authentication(b"hello", "text/plain") == b"DSSEv1 10 text/plain 5 hello"


@pytest.mark.parametrize("curve", ["secp256r1", "secp384r1", "secp521r1"])
def test_all_three_curves(curve: str) -> None:
    private, public = key_pair(curve)
    signer = load_private_key(private)
    bundle = read_bundle(write_bundle(PAYLOAD, signer.sign(PAYLOAD), signer.hint))
    assert verify_bundle(bundle, [load_public_key(public), TRUSTED]).good
    assert verify_bundle(bundle, [TRUSTED]).status == "unknown-key"


# --- keys


@pytest.mark.parametrize("pem", [b"", b"junk", PUBLIC, key_pair("ed25519")[0], key_pair("secp256k1")[0]])
def test_keys_that_cannot_sign(pem: bytes) -> None:
    with pytest.raises(StrataError, match="key"):
        load_private_key(pem)


@pytest.mark.parametrize("pem", [b"", b"junk", PRIVATE, key_pair("ed25519")[1], key_pair("secp256k1")[1]])
def test_keys_that_cannot_be_trusted(pem: bytes) -> None:
    with pytest.raises(StrataError, match="key"):
        load_public_key(pem)


def test_a_passphrase() -> None:
    locked, _ = key_pair(passphrase=b"secret")
    assert load_private_key(locked, b"secret").hint
    for given_ in (None, b"wrong"):
        with pytest.raises(StrataError, match="private key"):
            load_private_key(locked, given_)
    with pytest.raises(StrataError, match="not encrypted"):
        load_private_key(PRIVATE, b"secret")


# --- attacks


def test_a_key_that_comes_with_the_bundle_is_not_believed() -> None:
    private, public = key_pair()
    mallory = load_private_key(private)
    mine = write_bundle(PAYLOAD, mallory.sign(PAYLOAD), mallory.hint)
    assert verify_bundle(read_bundle(mine), [TRUSTED]).status == "unknown-key"
    claimed = write_bundle(PAYLOAD, mallory.sign(PAYLOAD), SIGNER.hint)
    assert verify_bundle(read_bundle(claimed), [TRUSTED]).status == "bad"

    def with_raw(bundle: Any) -> None:
        bundle["verificationMaterial"]["publicKey"] = {"rawBytes": b64encode(public).decode()}

    assert verify_bundle(read_bundle(edited(mine, with_raw)), [TRUSTED]).status == "unknown-key"


def test_changed_content_is_bad() -> None:
    other = write_statement("forest@v1", {**SUMS, "a.bin": B})
    signature = read_bundle(SIGNED).signature
    assert verify_bundle(read_bundle(write_bundle(other, signature, SIGNER.hint)), [TRUSTED]).status == "bad"
    assert verify_bundle(read_bundle(write_bundle(PAYLOAD, b"junk", SIGNER.hint)), [TRUSTED]).status == "bad"


def test_without_trusted_keys_nothing_is_called_valid() -> None:
    verdict = verify_bundle(read_bundle(SIGNED), [])
    assert (verdict.status, verdict.good) == ("unknown-key", False)
    assert "not judged" in verdict.sentence


def test_bundles_of_before_1_1_name_the_key_by_itself() -> None:
    def old(bundle: Any) -> None:
        bundle["verificationMaterial"] = {"publicKey": {"rawBytes": b64encode(TRUSTED.pem).decode(), "keyDetails": "X"}}
        bundle["dsseEnvelope"]["signatures"][0]["keyid"] = None

    assert verify_bundle(read_bundle(edited(SIGNED, old)), [TRUSTED]).good

    def nameless(bundle: Any) -> None:
        bundle["verificationMaterial"] = {"publicKey": {"hint": ""}}

    found = read_bundle(edited(SIGNED, nameless))
    assert verify_bundle(found, [TRUSTED]).good
    assert verify_bundle(found, [load_public_key(key_pair()[1])]).status == "unknown-key"


@pytest.mark.parametrize(
    ("material", "told"),
    [
        ({"x509CertificateChain": {"certificates": [{"rawBytes": "AA=="}]}}, "by certificate"),
        ({"certificate": {"rawBytes": "AA=="}, "tlogEntries": [{}]}, "keyless"),
    ],
)
def test_certificates_are_not_judged_and_never_valid(material: object, told: str) -> None:
    bundle = read_bundle(edited(SIGNED, lambda one: one.update(verificationMaterial=material)))
    assert told in (unjudgeable(bundle) or "")
    assert verify_bundle(bundle, [TRUSTED]).status == "not-judged"


def statement(change: Callable[[Any], object]) -> bytes:
    """The bundle with its statement changed, and signed again."""
    said = json.loads(PAYLOAD)
    change(said)
    payload = json.dumps(said).encode()
    return write_bundle(payload, SIGNER.sign(payload), SIGNER.hint)


def resources(*rows: tuple[str, str]) -> Callable[[Any], object]:
    def change(said: Any) -> None:
        said["predicate"]["resources"] = [{"name": n, "algorithm": "sha256", "digest": d} for n, d in rows]
        digests = b"".join(bytes.fromhex(d) for _, d in rows if len(d) == 64)
        said["subject"][0]["digest"]["sha256"] = sha256(digests).hexdigest()

    return change


UNSOUND: list[tuple[str, bytes]] = [
    ("not JSON", b""),
    ("not JSON", b"{"),
    ("missing or no object", b"[]"),
    ("mediaType", b"{}"),
    ("mediaType", edited(SIGNED, lambda one: one.update(mediaType="text/plain"))),
    ("verificationMaterial", edited(SIGNED, lambda one: one.pop("verificationMaterial"))),
    ("names no key", edited(SIGNED, lambda one: one.update(verificationMaterial={"tlogEntries": []}))),
    ("more than one", edited(SIGNED, lambda one: one["verificationMaterial"].update(certificate={"rawBytes": "AA=="}))),
    (
        "transparency log",
        edited(SIGNED, lambda one: one.update(verificationMaterial={"certificate": {"rawBytes": ""}})),
    ),
    ("dsseEnvelope", edited(SIGNED, lambda one: one.pop("dsseEnvelope"))),
    ("payloadType", edited(SIGNED, lambda one: one["dsseEnvelope"].update(payloadType="x"))),
    ("one signature", edited(SIGNED, lambda one: one["dsseEnvelope"].update(signatures=[]))),
    ("one signature", edited(SIGNED, lambda one: one["dsseEnvelope"]["signatures"].append({"sig": "AA=="}))),
    ("base64", edited(SIGNED, lambda one: one["dsseEnvelope"].update(payload="!!"))),
    ("base64", edited(SIGNED, lambda one: one["dsseEnvelope"]["signatures"][0].update(sig="é"))),
    ("sig is missing", edited(SIGNED, lambda one: one["dsseEnvelope"]["signatures"][0].update(sig=""))),
    ("predicateType", statement(lambda said: said.update(predicateType="https://model_signing/Digests/v0.1"))),
    ("_type", statement(lambda said: said.update(_type="x"))),
    ("one subject", statement(lambda said: said["subject"].append({}))),
    ("subject's digest", statement(lambda said: said["subject"][0]["digest"].update(sha256=A))),
    ("unknown", statement(lambda said: said["predicate"]["serialization"].update(method="trees"))),
    ("unknown", statement(lambda said: said["predicate"]["serialization"].update(hash_type="md5"))),
    ("allow_symlinks", statement(lambda said: said["predicate"]["serialization"].pop("allow_symlinks"))),
    ("ignore_paths", statement(lambda said: said["predicate"]["serialization"].update(ignore_paths=[1]))),
    ("no resources", statement(lambda said: said["predicate"].update(resources=[]))),
    ("listed twice", statement(resources(("a", A), ("a", B)))),
    ("plain relative", statement(resources(("../a", A)))),
    ("plain relative", statement(resources(("/a", A)))),
    ("plain relative", statement(resources(("a//b", A)))),
    ("lower-case hex", statement(resources(("a", A.upper())))),
    ("lower-case hex", statement(resources(("a", "abc")))),
]


@pytest.mark.parametrize(("told", "data"), UNSOUND)
def test_what_is_not_in_the_format_is_refused(told: str, data: bytes) -> None:
    with pytest.raises(OmsError, match=told):
        read_bundle(data)


def test_an_empty_model_is_not_signed() -> None:
    with pytest.raises(OmsError, match="no file"):
        write_statement("empty", {})


def test_shards_and_other_digests_are_not_judged() -> None:
    shards = statement(lambda said: said["predicate"]["serialization"].update(method="shards", shard_size=10))
    assert "shards" in (unjudgeable(read_bundle(shards)) or "")


# --- compared with a list


def test_differences_from_a_list() -> None:
    manifest = read_bundle(SIGNED).manifest
    assert list(differences(manifest, SUMS, {})) == []
    assert list(differences(manifest, {**SUMS, "new": A}, {})) == [
        "'new' is in CHECKSUMS.txt and not among what is signed"
    ]
    assert list(differences(manifest, {"a.bin": A}, {})) == ["'sub/b.bin' is signed and not in CHECKSUMS.txt"]
    assert f"CHECKSUMS.txt lists {B}" in next(differences(manifest, {**SUMS, "a.bin": B}, {}))
    both = read_bundle(statement(resources(("CHECKSUMS.txt", A), ("a.bin", A), ("sub/b.bin", B)))).manifest
    assert list(differences(both, SUMS, {"CHECKSUMS.txt": A, "SIGNATURE.asc": B})) == []
    assert "the file has" in next(differences(both, SUMS, {"CHECKSUMS.txt": B}))


NAMES = st.from_regex(r"[a-zA-Z0-9é_.-]{1,8}(/[a-z-]{1,4}){0,2}", fullmatch=True).filter(
    lambda name: {"", ".", ".."}.isdisjoint(name.split("/"))
)


@given(st.dictionaries(NAMES, st.binary(max_size=4), min_size=1, max_size=8))
def test_every_list_survives(files: dict[str, bytes]) -> None:
    sums = {name: sha256(data).hexdigest() for name, data in files.items()}
    payload = write_statement("x", sums)
    assert read_bundle(write_bundle(payload, b"s", "h")).manifest.resources == sums


@given(st.integers(0, len(SIGNED) - 1), st.integers(0, 255))
def test_no_flipped_byte_passes(at: int, byte: int) -> None:
    """Whatever is still read says the same as before, or is no longer valid."""
    changed = SIGNED[:at] + bytes([byte]) + SIGNED[at + 1 :]
    try:
        bundle = read_bundle(changed)
    except OmsError:
        return
    if verify_bundle(bundle, [TRUSTED]).good:
        assert bundle.payload == PAYLOAD == b64decode(json.loads(SIGNED)["dsseEnvelope"]["payload"])
