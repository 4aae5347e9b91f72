"""Keys for model.sig that belong to people of a trust policy: `keys/<principal>.pem`, beside the others.

A policy names such a key `oms:` and the SHA-256 of its PEM text, which is also what a bundle calls it by. Reading them
takes no cryptography; verifying does. A bundle tells no time, so what it is worth is asked as of a moment.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from strata_git.integrity.oms_keys import ModelVerdict, PublicKey, verify_bundle
from strata_git.integrity.principals import Policy, principal_of

if TYPE_CHECKING:
    from strata_git.integrity.oms import Bundle

PREFIX = "oms:"
_BLOCK = re.compile(rb"-----BEGIN PUBLIC KEY-----\s+([A-Za-z0-9+/=\s]{1,4096}?)-----END PUBLIC KEY-----")


def pem_keys(data: bytes) -> list[PublicKey]:
    """The public keys in PEM text, each in the one form that bundles take the digest of; none where there is none."""
    found = []
    for block in _BLOCK.finditer(data):
        try:
            body = b64encode(b64decode(b"".join(block[1].split()), validate=True))
        except ValueError:
            continue
        lines = [body[at : at + 64] for at in range(0, len(body), 64)]
        pem = b"\n".join([b"-----BEGIN PUBLIC KEY-----", *lines, b"-----END PUBLIC KEY-----", b""])
        found.append(PublicKey(sha256(pem).hexdigest(), pem))
    return found


def keys_of_people(policy: Policy, files: Iterable[tuple[str, bytes]]) -> tuple[PublicKey, ...]:
    """The keys for model.sig that `policy` names, with their owners; `files` are (name, bytes) of its key folder."""
    owners = policy.keys()
    found: dict[str, PublicKey] = {}
    for name, data in files:
        if name.endswith(".pem"):
            for key in pem_keys(data):
                if (owner := owners.get(PREFIX + key.hint)) is not None:
                    found[key.hint] = replace(key, owner=owner)
    return tuple(found.values())


def judge_by_people(
    bundle: Bundle, people: Iterable[tuple[Policy, Iterable[PublicKey]]], others: Iterable[PublicKey], *, now: int
) -> ModelVerdict:
    """The verdict on a bundle by the keys of a policy's versions, the one in force first, and by `others` that somebody
    trusts besides.

    A key that ended, or whose owner's word did, at the moment `now` (Unix time) makes no good signature: nothing tells
    when it was made. Without any version this is `verify_bundle`.
    """
    versions = [(policy, tuple(keys)) for policy, keys in people]
    verdict = verify_bundle(bundle, [*(key for _, keys in versions for key in keys), *others])
    if not verdict.good or not versions:
        return verdict
    name = PREFIX + verdict.hint
    owners = [(policy, policy.keys()) for policy, _ in versions]
    policy = next((policy for policy, known in owners if name in known), None)
    if policy is None or not verdict.signer:
        return replace(verdict, sentence="valid, signer not enrolled", enrolled=False)
    if principal_of(policy, name, now) is None:
        told = f"fits, but the key is one by which {verdict.signer} does not vouch now, and a model.sig tells no date"
        return ModelVerdict("ended", verdict.hint, told, verdict.signer)
    return verdict
