"""The ledger's events as the index keeps them."""

from __future__ import annotations

from collections.abc import Mapping

from strata_git.checks.finding import Finding
from strata_git.index.records import StageRecord
from strata_git.index.vouch import Verifier
from strata_git.repo.command import Repository


def read_stages(
    repo: Repository, verifier: Verifier | None
) -> tuple[tuple[StageRecord, ...], Mapping[str, tuple[Finding, ...]]]:
    """Every event in order, and what the ledger has to complain about, by model."""
    return (), {}
