"""Whether an artifact is what its CHECKSUMS.txt and metadata say (TFC-0008 section 2).

Digests are compared through `Tree.content`, so a Git LFS pointer is judged without its bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from strata_git.checks.documents import Reading
from strata_git.checks.exhibit import Account, Exhibit
from strata_git.checks.finding import Finding, found
from strata_git.checks.plain import text
from strata_git.contracts.layout import CHECKSUMS, UNSUMMED
from strata_git.integrity.checksums import SIZE_LIMIT, ChecksumError, content_hash, parse


def judge(exhibit: Exhibit, record: Reading) -> Account:
    """Judge the list against the tree, and the record against the list and the path."""
    account = Account(facts={"content_hash": None})
    account.findings.extend(_judge_identity(exhibit, record))
    sums = _read(exhibit, account.findings)
    if sums is None:
        return account
    account.findings.extend(_judge_list(exhibit, sums))
    true_hash = content_hash(sums, kind=exhibit.artifact.kind)
    account.facts["content_hash"] = true_hash
    said = text(record.value.get("content_hash"))
    if said is not None and said != true_hash:
        line = record.line("content_hash")
        account.findings.append(
            found("STR-C006", record.path, f"content_hash is {said}, the payload's is {true_hash}", line=line)
        )
    return account


def _read(exhibit: Exhibit, findings: list[Finding]) -> Mapping[str, str] | None:
    path = exhibit.path(CHECKSUMS)
    content = exhibit.contents.get(CHECKSUMS)
    if content is None:
        if CHECKSUMS not in exhibit.absent:
            findings.append(found("STR-C001", path, "there is no list of checksums"))
        return None
    if content.stored == "pointer":
        return None
    if content.size > SIZE_LIMIT:
        findings.append(found("STR-C002", path, f"{content.size} bytes, more than {SIZE_LIMIT}; not read"))
        return None
    try:
        return parse(exhibit.read(CHECKSUMS, SIZE_LIMIT))
    except ChecksumError as error:
        findings.append(found("STR-C002", path, error.message, line=error.line))
        return None


def _judge_list(exhibit: Exhibit, sums: Mapping[str, str]) -> Iterator[Finding]:
    """List and tree hold the same names, and each file has the digest listed."""
    there = exhibit.entries.keys() - UNSUMMED
    for name in sorted(sums.keys() - there):
        yield found("STR-C003", exhibit.path(name), "is listed in CHECKSUMS.txt and is not there")
    for name in sorted(there - sums.keys()):
        yield found("STR-C004", exhibit.path(name), "is not listed in CHECKSUMS.txt")
    for name, listed in sums.items():
        content = exhibit.contents.get(name)
        if content is not None and content.sha256 != listed:
            stored = "the pointer stands for" if content.stored == "pointer" else "the file has"
            message = f"CHECKSUMS.txt lists sha256 {listed}, {stored} {content.sha256}"
            yield found("STR-C005", exhibit.path(name), message)


def _judge_identity(exhibit: Exhibit, record: Reading) -> Iterator[Finding]:
    """A signed directory copied to another name must not pass for that name."""
    artifact = exhibit.artifact
    if not artifact.version:
        return
    for key, true in (("kind", artifact.kind), ("name", artifact.name), ("version", artifact.version)):
        said = text(record.value.get(key))
        if said is not None and said != true:
            message = f"{key} is '{said}', the path says '{true}'"
            yield found("STR-C007", record.path, message, line=record.line(key))
