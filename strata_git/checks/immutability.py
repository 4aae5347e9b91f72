"""Released means never changed (TFC-0001 section 5). History comes in as facts; no commit is read here.

Compared is the tree without SIGNATURE.asc and model.sig: signing later does not change what was released. What a
commit does is judged against the *released* content, so undoing a change is legal and the change itself stays told.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from strata_git.checks.finding import Finding, found
from strata_git.checks.signatures import SSH_ARMOR
from strata_git.contracts.layout import ADDABLE, SIGNATURE, Artifact
from strata_git.contracts.tree import SUBMODULE, SYMLINK

Files = Mapping[str, tuple[str, str]]
"""Repository path -> (git mode, blob id) of a version's files."""

_TYPES = {"100644": "a file", "100755": "an executable file", SYMLINK: "a symbolic link", SUBMODULE: "a submodule"}


@dataclass(frozen=True, slots=True)
class VersionChange:
    """What one commit does to one version, against one parent.

    `before` and `after` are its files in the parent and in the commit (None: not there). `introduced` says that the
    version exists for the first time, `unpublished` that nobody has seen it: no remote, event, run or model knows the
    commit that introduced it, so that amending is allowed. `base` is that commit. `signature_before` and
    `signature_after` are the bytes of SIGNATURE.asc. `commit` is `""` for what is only staged.
    """

    commit: str
    artifact: Artifact
    before: Files | None
    after: Files | None
    introduced: bool
    unpublished: bool = False
    base: str = ""
    signature_before: bytes | None = None
    signature_after: bytes | None = None


def judge_changes(changes: Iterable[VersionChange], released: Mapping[str, Files] | None = None) -> Iterator[Finding]:
    """Judge what commits do to released versions.

    `released` maps artifact paths to the files they were released with, as far as history is known; for others the
    parent's content stands in.
    """
    known = released or {}
    for change in changes:
        if not change.artifact.frozen or change.introduced:
            continue
        for finding in _judge_change(change, known.get(change.artifact.path)):
            yield _told(finding, change)


def judge_introductions(changes: Iterable[VersionChange]) -> Iterator[Finding]:
    """One commit introduces one version of a model at most, so that its tag tells which."""
    groups: defaultdict[tuple[str, str], set[Artifact]] = defaultdict(set)
    for change in changes:
        if change.introduced and change.artifact.kind == "model":
            groups[change.commit, change.artifact.name].add(change.artifact)
    for (commit, name), versions in groups.items():
        if len(versions) > 1:
            first, *others = sorted(versions, key=lambda artifact: artifact.number)
            for other in others:
                message = f"one commit introduces {first.version} and {other.version} of {name}"
                yield found("STR-I009", other.path, message, commit=commit)


def _told(finding: Finding, change: VersionChange) -> Finding:
    """The finding with its commit and base; milder where the version may still be amended."""
    fix = finding.fix.replace(" BASE ", f" {change.base or 'HEAD'} ")
    if change.unpublished and finding.severity == "error":
        amended = found("STR-I008", finding.path, f"{finding.message}; nobody has seen the version yet")
        return replace(amended, commit=change.commit)
    return replace(finding, fix=fix, commit=change.commit)


def _judge_change(change: VersionChange, released: Files | None) -> Iterator[Finding]:
    artifact = change.artifact
    if not change.after:
        if change.before:
            yield found("STR-I005", artifact.path, f"{artifact.short} is removed as a whole")
        return
    after = _bound(change.after, artifact)
    if change.before is None:
        if released is None or _bound(released, artifact) != after:
            yield found("STR-I006", artifact.path, f"{artifact.short} was released with other content")
        return
    base = _bound(change.before if released is None else released, artifact)
    yield from _judge_files(base, after, artifact)
    yield from _judge_signature(change)


def _bound(files: Files, artifact: Artifact) -> Files:
    """The files that a release binds for ever."""
    free = {f"{artifact.path}/{name}" for name in ADDABLE}
    return {path: what for path, what in files.items() if path not in free}


def _judge_files(base: Files, after: Files, artifact: Artifact) -> Iterator[Finding]:
    for path in sorted(base.keys() | after.keys()):
        old, new = base.get(path), after.get(path)
        if old == new:
            continue
        if old is None:
            yield found("STR-I003", path, f"is added to {artifact.short}, which is released")
        elif new is None:
            yield found("STR-I002", path, f"is removed from {artifact.short}, which is released")
        elif old[0] != new[0]:
            was, became = (_TYPES.get(mode, f"mode {mode}") for mode in (old[0], new[0]))
            yield found("STR-I004", path, f"was {was} when {artifact.short} was released and becomes {became}")
        else:
            yield found("STR-I001", path, f"differs from what {artifact.short} was released with")


def _judge_signature(change: VersionChange) -> Iterator[Finding]:
    """Blocks are only added: a signature given is not taken back by editing a file."""
    before, after = change.signature_before, change.signature_after
    path = f"{change.artifact.path}/{SIGNATURE}"
    if before is None or before == after:
        return
    if after is None:
        yield found("STR-I007", path, f"the signatures of {change.artifact.short} are removed")
        return
    from strata_git.integrity.armor import ArmorError, missing_blocks

    try:
        gone = before not in after if before.startswith(SSH_ARMOR) else bool(missing_blocks(before, after))
    except ArmorError as error:
        yield found("STR-I007", path, f"can no longer be read: {error}")
        return
    if gone:
        yield found("STR-I007", path, f"a signature of {change.artifact.short} is removed or changed")
