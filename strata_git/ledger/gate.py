"""May a version move? Facts in, findings out (TFC-0009 §4). Pure; without findings that are errors it may."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from strata_git.checks.finding import Finding, found
from strata_git.contracts.layout import Artifact
from strata_git.integrity.signer import SignatureVerdict, is_signed
from strata_git.ledger.event import LedgerComplaint, errors
from strata_git.ledger.stages import is_allowed, is_upward, reachable


@dataclass(frozen=True, slots=True)
class MoveFacts:
    """What is known about a version that somebody wants to move from `origin` to `target`.

    `differing` are paths in its directory that are not as in HEAD. `verdict` are doctor's findings about it at HEAD,
    `unjudged` what doctor could not judge, `signatures` the verdicts on SIGNATURE.asc there (None: there is no such
    file). `digest` is that of its CHECKSUMS.txt at HEAD, `released` the one at the commit that introduced it.
    `introduced` is that commit and `registered` the one its registration names (None: not registered yet).
    `companions` are other versions of the model that the same commit introduced. `ledger` are complaints about the
    model's events. `trust` is what stands against moving anything here (a policy that is not pinned, say),
    `transitions` are those of the policy in force (None: the usual ones), `dangers` what a scan that it asks for found.
    """

    artifact: Artifact
    origin: str
    target: str
    differing: tuple[str, ...] = ()
    verdict: tuple[Finding, ...] = ()
    unjudged: tuple[str, ...] = ()
    signatures: tuple[SignatureVerdict, ...] | None = None
    signing_required: bool = False
    digest: str | None = None
    released: str | None = None
    introduced: str = ""
    registered: str | None = None
    companions: tuple[str, ...] = ()
    ledger: tuple[LedgerComplaint, ...] = ()
    trust: tuple[Finding, ...] = ()
    transitions: frozenset[tuple[str, str]] | None = None
    dangers: tuple[str, ...] = ()


def judge_move(facts: MoveFacts) -> tuple[Finding, ...]:
    """Everything that stands against the move. What only protects users of a version is asked on the way up alone."""
    return (*_judge_ledger(facts), *_judge_place(facts), *(_judge_content(facts) if _goes_up(facts) else ()))


def _goes_up(facts: MoveFacts) -> bool:
    return is_upward(facts.origin, facts.target)


def _judge_ledger(facts: MoveFacts) -> Iterator[Finding]:
    """Nothing is built on a damaged line of events, and nothing is decided that a policy should decide."""
    for complaint in errors(facts.ledger):
        yield complaint.finding(facts.artifact.name)
    for finding in facts.trust:
        yield replace(finding, severity="error")


def _judge_place(facts: MoveFacts) -> Iterator[Finding]:
    artifact = facts.artifact
    if facts.origin == facts.target:
        yield found("STR-P009", artifact.path, f"{artifact.short} is in {facts.target} already")
    elif not is_allowed(facts.origin, facts.target, facts.transitions):
        ways = " or ".join(reachable(facts.origin, facts.transitions)) or "nowhere"
        message = f"{artifact.short} may not move from {facts.origin} to {facts.target}"
        yield found("STR-P009", artifact.path, f"{message}, only to {ways}")
    for other in facts.companions:
        message = f"the commit that introduced {artifact.short} introduced {other} too; its tags could mean either"
        yield found("STR-I009", artifact.path, message)


def _judge_content(facts: MoveFacts) -> Iterator[Finding]:
    artifact = facts.artifact
    for path in facts.differing:
        yield found("STR-P014", path, f"differs from what HEAD holds of {artifact.short}")
    if facts.released is None or facts.digest != facts.released:
        yield found("STR-P011", artifact.path, f"{artifact.short} is not what its introducing commit released")
    if facts.registered is not None and facts.registered != facts.introduced:
        message = f"is registered at {facts.registered}, but {facts.introduced} introduced it in HEAD's history"
        yield found("STR-P010", artifact.path, f"{artifact.short} {message}")
    broken = [finding for finding in facts.verdict if finding.severity == "error"]
    if broken:
        yield found("STR-P012", artifact.path, f"{artifact.short} has {len(broken)} error(s)")
        yield from broken
    for danger in facts.dangers:
        yield found("STR-P039", artifact.path, danger)
    for what in facts.unjudged:
        yield found("STR-P012", artifact.path, f"{artifact.short} could not be judged: {what}")
    yield from _judge_signatures(facts)


def _judge_signatures(facts: MoveFacts) -> Iterator[Finding]:
    artifact = facts.artifact
    if facts.signatures is None:
        if facts.signing_required:
            yield found("STR-P013", artifact.path, f"{artifact.short} is not signed")
        return
    statuses = {verdict.status for verdict in facts.signatures}
    if not statuses.isdisjoint({"bad", "malformed"}):
        yield found("STR-P013", artifact.path, f"{artifact.short} carries a signature that does not fit it")
    elif facts.signing_required and not is_signed(facts.signatures):
        yield found("STR-P013", artifact.path, f"{artifact.short} has no signature that counts")
