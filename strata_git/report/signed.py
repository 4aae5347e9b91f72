"""Commits of a change and who signed them: the claim, or what a verifier says of it."""

from __future__ import annotations

from dataclasses import replace

from strata_git.errors import StrataError
from strata_git.index.records import Introduction
from strata_git.index.vouch import Verifier, signer
from strata_git.repo.history import split_signature


def checked(commit: Introduction, data: bytes, verifier: Verifier | None) -> Introduction:
    """`commit` with its signature judged; the claim stays where there is no verifier, or where it cannot work."""
    if verifier is None or commit.signature is None:
        return commit
    payload, signature = split_signature(data)
    try:
        verdicts = verifier.verify_tag_payload(payload, signature)
    except StrataError:
        return commit
    return replace(commit, signature=signer(verdicts[0])) if verdicts else commit
