"""Receipts as they lie in a repository: read, verified, asked whether one is good for a run (TFC-0009 section 10)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from strata_git.contracts.layout import CHECKSUMS, RUN_ID
from strata_git.integrity.checksums import digest as digest_of
from strata_git.integrity.policy import Vouch, vouches_of
from strata_git.ledger.receipt import RECEIPTS, Receipt, read_receipt, unfit
from strata_git.ledger.record import TAG_LIMIT, TagError, TagObject, parse_tag
from strata_git.repo.command import Repository
from strata_git.repo.objects import TooLarge
from strata_git.repo.refs import list_refs

if TYPE_CHECKING:
    from strata_git.integrity.policy_keys import PolicyKeys
    from strata_git.ledger.signing import Verifier

_MOST = 1000
"""Receipts of one run that are read; whoever may push could add any number."""


def read_receipts(
    repo: Repository, verifier: Verifier | None = None, *, run: str | None = None,
    overlay: Mapping[str, str] | None = None,
) -> tuple[Receipt, ...]:  # fmt: skip
    """What stands under `refs/strata/receipts/` (of one `run`, when given), signatures verified by `verifier` (default:
    not at all). What is no receipt is there too and says why (`flaw`). `overlay` are references read as if there."""
    found = []
    for ref, oid in _listed(repo, run, overlay or {}):
        tag = _tag(repo, oid)
        if isinstance(tag, str):
            found.append(Receipt(ref, oid, tag))
            continue
        asked = verifier is not None and tag.signature
        verdicts = verifier.verify_tag_payload(tag.payload, tag.signature) if verifier and asked else ()
        found.append(read_receipt(ref, oid, tag, tuple(verdicts)))
    return tuple(found)


def receipt_vouches(
    repo: Repository, ring: PolicyKeys, *, run: str, digest: str, when: int, overlay: Mapping[str, str] | None = None
) -> tuple[Vouch, ...]:
    """Who has signed, until `when` (Unix time), that the run of this digest was made again with the same result.

    `ring` holds the keys of the policy that judges; its repository is the one that receipts must name.
    """
    found: list[Vouch] = []
    for ref, oid in _listed(repo, run, overlay or {})[:_MOST]:
        tag = _tag(repo, oid)
        if isinstance(tag, str) or not tag.signature:
            continue
        if unfit(read_receipt(ref, oid, tag), run=run, digest=digest, repo=ring.policy.repository, when=when):
            continue
        at = datetime.fromtimestamp(tag.when, UTC)
        found += vouches_of(ring.verify_detached(tag.payload, tag.signature, at=at), "receipt", tag.when)
    return tuple(dict.fromkeys(found))


def run_behind(repo: Repository, metadata: bytes | None, commits: Iterable[str]) -> tuple[str, str]:
    """The run that a model's metadata.yaml names and the digest of its record, as the first of `commits` that has it
    holds it; `""` for what is not there."""
    from strata_git.load import Unloadable, load_yaml

    try:
        value = load_yaml(metadata).value if metadata is not None else None
    except Unloadable:
        value = None
    run = value.get("run") if isinstance(value, dict) else None
    if not isinstance(run, str) or not RUN_ID.fullmatch(run):
        return "", ""
    rows = dict(repo.objects.lookup([f"{commit}:runs/{run}/{CHECKSUMS}" for commit in commits]))
    listed = next((row[2] for row in rows.values() if row is not None and row[1] == "blob"), None)
    return run, digest_of(listed) if listed is not None else ""


def _listed(repo: Repository, run: str | None, overlay: Mapping[str, str]) -> list[tuple[str, str]]:
    prefix = f"{RECEIPTS}{run}/" if run else RECEIPTS
    refs = {ref.name: ref.oid for ref in list_refs(repo, prefix)}
    refs |= {name: oid for name, oid in overlay.items() if name.startswith(prefix)}
    return sorted(refs.items())


def _tag(repo: Repository, oid: str) -> TagObject | str:
    """A tag object taken apart, or why that cannot be."""
    try:
        kind, data = repo.objects.read(oid, TAG_LIMIT)
        return parse_tag(data) if kind == "tag" else f"it is a lightweight tag of a {kind}"
    except (KeyError, TooLarge, TagError) as error:
        return str(error) or "it cannot be read"
