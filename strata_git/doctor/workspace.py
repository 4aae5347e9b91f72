"""What lies around the artifacts, judged once for each state of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import astuple

from strata_git.checks.catalog import RULESET
from strata_git.checks.finding import Finding
from strata_git.contracts.layout import KINDS, METADATA, ROOT_OF, Artifact
from strata_git.doctor.cache import Cache
from strata_git.doctor.subject import Subject
from strata_git.repo.tree import Entry, ListedTree, Place

_SOME = {
    root: Artifact(kind, "run-2000-01-01-000")
    if kind == "run"
    else Artifact(kind, "x", "" if kind == "service" else "v1")
    for root, kind in KINDS.items()
}
"""An artifact in each root, where it is known only that there is something."""


class _Around(ListedTree):
    """The loose files, with one stand-in for each root that holds artifacts."""

    def __init__(self, subject: Subject) -> None:
        firsts = {artifact.kind: artifact for artifact in subject.artifacts}
        firsts |= {KINDS[root]: _SOME[root] for root in subject.roots if KINDS[root] not in firsts}
        stand_ins = [Entry(f"{one.path}/{METADATA}", "100644", "0" * 40) for one in firsts.values()]
        super().__init__(None, [*subject.loose.under(""), *stand_ins])
        self._loose = subject.loose

    def read(self, entry: Place, limit: int = 64 << 20) -> bytes:
        """A loose file's bytes."""
        return self._loose.read(entry, limit)


def judge_loose(subject: Subject, paths: Sequence[str], cache: Cache) -> list[Finding]:
    """Findings on places, settings and attributes, as far as they lie below `paths`."""
    entries = subject.loose.under("")
    sha = hashlib.sha256(RULESET.encode())
    for entry in entries:
        sha.update(os.fsencode(f"{entry.mode} {entry.oid} {entry.path}\0"))
    sha.update(",".join(sorted({ROOT_OF[artifact.kind] for artifact in subject.artifacts} | subject.roots)).encode())
    key = f"around:{subject.narrow}:{sha.hexdigest()}"
    findings = _thawed(cache.get([key]).get(key))
    if findings is None:
        from strata_git.checks.engine import judge_workspace

        findings = list(judge_workspace(_Around(subject)))
        cache.put({key: [astuple(finding) for finding in findings]})
    if subject.narrow:
        findings = [finding for finding in findings if finding.severity != "info"]
    if not paths:
        return findings
    return [f for f in findings if any(_related(f.path, one) for one in paths)]


def _related(place: str, asked: str) -> bool:
    """Whether a finding's place lies in what was asked about, or is a directory around it."""
    return place == asked or place.startswith(f"{asked}/") or asked.startswith(f"{place}/")


def _thawed(value: object) -> list[Finding] | None:
    if not isinstance(value, list):
        return None
    try:
        return [Finding(*row) for row in value]
    except TypeError:
        return None
