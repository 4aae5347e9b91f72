"""Signing a receipt: what came of making a run again, as a signed tag under `refs/strata/receipts/` (TFC-0009 §10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from strata_git import __version__
from strata_git.config import Settings
from strata_git.errors import StrataError
from strata_git.ledger.receipt import GIVEN, OWN, Receipt, ReceiptRecord, read_receipt, reference
from strata_git.ledger.record import RECORD_LIMIT, format_message, format_tag, header, parse_tag
from strata_git.load import canonical_json
from strata_git.repo.command import Repository
from strata_git.repo.refs import RefConflict, Transaction
from strata_git.runs.reproduce import Reproduction
from strata_git.runs.reproduce_compare import Comparison, Difference

_ROWS = 64
"""Most differences of one sort that a receipt lists; it counts all."""


def prepare(repo: Repository, settings: Settings, *, key: str = "", terminal: str | None = None) -> None:
    """Raise StrataError where a receipt could not be signed here, before anything is computed."""
    from strata_git.ledger.signing import committer, signer_for

    _identity(settings)
    committer(repo)
    signer_for(repo, key=key, configured=settings.signing_key, terminal=terminal)


def sign_receipt(
    repo: Repository, settings: Settings, made: Reproduction, *, key: str = "", terminal: str | None = None,
    now: datetime | None = None,
) -> Receipt:  # fmt: skip
    """Sign what came of making a run again, and keep it under `refs/strata/receipts/<run>/`.

    The signature must count here: by the trust policy in force, else by the user's own keys. Raises StrataError where
    it would not, or nothing can be signed; nothing refers to what was written then.
    """
    from strata_git.ledger.assurances import present_keys
    from strata_git.ledger.signing import committer, signer_for
    from strata_git.ledger.trust import read_trust
    from strata_git.ledger.writing import Author, signed_tag

    moment = now or datetime.now(UTC)
    trust = read_trust(repo, _identity(settings))
    signer = signer_for(repo, key=key, configured=settings.signing_key, terminal=terminal)
    policy = trust.policy.digest if trust.policy else None
    commit = made.recorded.commit
    author = Author(signer, present_keys(repo, trust, now=moment), settings.repository, commit, moment, policy=policy)
    record, who = _record(settings, made, moment), committer(repo)
    ref = reference(record, f"{who} {getattr(signer, 'key', '')}")
    message = format_message(f"runs/{record.run} was made again: {record.verdict}", "", record)
    unsigned = format_tag(commit, header(ref), who, int(moment.timestamp()), message)
    payload, signature, verdicts = signed_tag(author, unsigned, "The receipt")
    oid = repo.git("mktag", input=payload + signature).decode().strip()
    receipt = read_receipt(ref, oid, parse_tag(payload + signature), verdicts)
    if receipt.record != record:
        raise StrataError(f"The receipt would not count: {receipt.flaw or 'it cannot be read back'}.")
    changes = Transaction(repo)
    changes.create(ref, oid)
    try:
        changes.commit()
    except RefConflict:
        raise StrataError(f"{ref} is there already.") from None
    return receipt


def _identity(settings: Settings) -> str:
    if not settings.repository:
        raise StrataError(
            "strata.yaml gives this repository no UUID, which a receipt must name.", hint="git strata init ."
        )
    return settings.repository


def _record(settings: Settings, made: Reproduction, now: datetime) -> ReceiptRecord:
    """The statement, with as many differences listed as a tag may hold."""
    seen, limit = made.comparison, _ROWS
    given = any(figure.given for figure in seen.figures)
    while True:
        record = ReceiptRecord(
            repo=settings.repository, run=made.recorded.id, digest=made.recorded.digest, commit=made.recorded.commit,
            verdict=made.verdict, tolerances=GIVEN if given else OWN, issued_at=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            tool=f"git-strata {__version__}", counted=_counted(seen), differing=_differing(seen, limit),
        )  # fmt: skip
        if not limit or len(canonical_json(record.as_json())) <= RECORD_LIMIT // 2:
            return record
        limit //= 2


def _counted(seen: Comparison) -> Mapping[str, Mapping[str, int]]:
    same = sum(figure.same for figure in seen.figures)
    counts = {
        "metrics": (same, len(seen.figures) - same),
        "artifacts": (seen.same_artifacts, len(seen.artifacts)),
        "inputs": (seen.same_inputs, len(seen.inputs)),
        "code": (0 if seen.code else 1, len(seen.code)),
        "environment": (0, len(seen.environment)),
    }
    return {name: {"same": same, "differing": other} for name, (same, other) in counts.items()}


def _differing(seen: Comparison, limit: int) -> Mapping[str, Sequence[Mapping[str, str]]]:
    figures = [
        {"name": one.name, "recorded": _number(one.recorded), "reproduced": _number(one.reproduced),
         "tolerance": repr(one.tolerance)}
        for one in seen.figures if not one.same
    ]  # fmt: skip
    rows: dict[str, Sequence[Mapping[str, str]]] = {"metrics": figures[:limit]}
    listed = {"artifacts": seen.artifacts, "inputs": seen.inputs, "code": seen.code, "environment": seen.environment}
    return rows | {name: [_row(one) for one in each[:limit]] for name, each in listed.items()}


def _row(one: Difference) -> dict[str, str]:
    told = {"name": one.name[:400], "recorded": one.recorded[:400], "reproduced": one.reproduced[:400]}
    return told | ({"used": "yes"} if one.used else {})


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)
