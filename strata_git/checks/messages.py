"""What a commit message says of artifacts (TFC-0001 §10)."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from strata_git.checks.finding import Finding, found
from strata_git.contracts.layout import Artifact
from strata_git.contracts.trailers import Claim, claims


def judge_message(message: str, there: Collection[Artifact], *, commit: str = "", mild: bool = False) -> list[Finding]:
    """Findings on the trailers of a message.

    `there` are those of the artifacts it names that the commit or a parent of it holds. `mild`: the commit exists, so
    nothing is worse than a warning.
    """
    severity = "warning" if mild else ""
    return [
        found(rule, ".", f"line {claim.line} of the commit message: {said}", commit=commit, severity=severity)
        for claim in claims(message)
        for rule, said in _complaints(claim, there)
    ]


def named_in(message: str) -> list[Artifact]:
    """The artifacts that a message names, each once."""
    return list(dict.fromkeys(claim.artifact for claim in claims(message) if claim.artifact is not None))


def _complaints(claim: Claim, there: Collection[Artifact]) -> Iterator[tuple[str, str]]:
    told = f"{claim.name}: {claim.value[:80]}"
    if not claim.known:
        yield "STR-K003", f"'{claim.name}' means nothing"
    elif not claim.sound:
        yield "STR-K001", f"'{told}' is not of the form asked for"
    elif claim.artifact is not None and claim.artifact not in there:
        yield "STR-K002", f"'{told}' names what is neither in the commit nor in a parent of it"
