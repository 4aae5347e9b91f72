"""What makes a finding the same finding tomorrow: its rule, its place and what it says, not the line it stands on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from strata_git.checks.finding import Finding


def encodable(text: str) -> str:
    """`text` as valid Unicode: bytes of names that are not UTF-8 come out as `\\udcNN`."""
    return text.encode("utf-8", "backslashreplace").decode()


def message_digest(finding: Finding) -> str:
    """SHA-256 of what a finding says, as hex."""
    return _sha256(finding.message)


def fingerprints(findings: Sequence[Finding]) -> list[str]:
    """One for each finding, unique among them: those alike in all but line and commit are numbered in their order."""
    seen: Counter[tuple[str, str, str]] = Counter()
    prints = []
    for finding in findings:
        key = (finding.rule, finding.path, finding.message)
        prints.append(_sha256("\0".join((*key, str(seen[key])))))
        seen[key] += 1
    return prints


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
