"""`verify`: is each artifact what its list says, who signed it, and does the ledger hold together (TFC-0008)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from strata_git.authoring.targets import named_artifacts
from strata_git.checks.checksums import judge
from strata_git.checks.documents import read_document
from strata_git.checks.engine import exit_code
from strata_git.checks.exhibit import Exhibit
from strata_git.checks.finding import Finding, found
from strata_git.checks.signatures import judge_signatures
from strata_git.contracts.layout import CHECKSUMS, SIGNATURE, Artifact
from strata_git.contracts.tree import REGULAR
from strata_git.doctor.deep import DeepTree
from strata_git.doctor.judge import require_commit
from strata_git.doctor.subject import Subject, commit_subject, work_subject
from strata_git.errors import StrataError
from strata_git.integrity.signer import SignatureVerdict
from strata_git.repo.command import Repository
from strata_git.repo.tree import ListedTree, commit_tree

if TYPE_CHECKING:
    from strata_git.integrity.gpg import Gpg

_LIST_LIMIT = 64 << 20

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Verified:
    """What can be said of one artifact.

    `depth` is `bytes` when every file was hashed, `pointer` when Git LFS pointers spoke for some. `signatures` is None
    where gpg is not installed, empty where nobody signed.
    """

    artifact: Artifact
    digest: str
    files: int
    depth: str
    signatures: tuple[SignatureVerdict, ...] | None
    findings: tuple[Finding, ...]
    unseen: int = 0

    @property
    def exit_code(self) -> int:
        """0 fine (an unsigned artifact is), 1 with doubts, 2 when something is wrong."""
        return max(exit_code(self.findings), 1 if self.unseen else 0)


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """Complaints on the events of all `models`; `unjudged` says why nothing can be said, `""` otherwise."""

    models: int
    findings: tuple[Finding, ...]
    unjudged: str = ""

    @property
    def exit_code(self) -> int:
        """0 fine, 1 with doubts, 2 when something is wrong."""
        return max(exit_code(self.findings), 1 if self.unjudged else 0)


@dataclass(frozen=True, slots=True)
class Verification:
    """All that was verified; `ledger` is None where it was not asked about."""

    subject: str
    artifacts: tuple[Verified, ...]
    ledger: LedgerCheck | None = None

    @property
    def exit_code(self) -> int:
        """The worst of all."""
        return max([0, *(each.exit_code for each in self.artifacts), self.ledger.exit_code if self.ledger else 0])


def verify(
    repo: Repository,
    words: Sequence[str] = (),
    *,
    cwd: Path,
    at: str | None = None,
    deep: bool = False,
    repository: str = "",
    progress: Progress | None = None,
) -> Verification:
    """Verify what `words` name (nothing: every artifact, and the ledger) in the work tree, or in the commit `at`.

    `deep` hashes the bytes of large files, where they are here, in place of believing their pointers.
    `repository` is the UUID that events must name (`""`: any). `progress` is told bytes hashed. Raises StrataError for
    a word that names nothing.
    """
    subject = _subject(repo, at)
    known = [artifact for artifact in subject.artifacts if artifact.frozen]
    wanted = named_artifacts(repo, words, cwd=cwd, known=known) if words else sorted(known)
    listed = subject.files([artifact.path for artifact in wanted]) if wanted else ListedTree(repo, [])
    on_disk = at is None and repo.worktree is not None
    tree = DeepTree(repo, listed, on_disk=on_disk, progress=progress) if deep else listed
    released = _released_lists(repo, wanted) if on_disk else {}
    verified = [_verified(repo, tree, artifact, released.get(artifact.path)) for artifact in wanted]
    return Verification(subject.name, tuple(verified), None if words else _check_ledger(repo, repository))


def signature_verdicts(repo: Repository, listed: bytes, signature: bytes) -> list[SignatureVerdict] | None:
    """The verdict on each signature in `signature` over `listed`; None where gpg is not installed."""
    try:
        return list(user_gpg(repo).verify_detached(listed, signature))
    except StrataError:
        return None


def user_gpg(repo: Repository) -> Gpg:
    """gpg on the user's keyring; which program that is, only the user's own configuration says."""
    from strata_git.integrity.gpg import Gpg

    return Gpg(None, repo.own_config("gpg.program"), environ=repo.environ)


def _subject(repo: Repository, at: str | None) -> Subject:
    if at is None and repo.worktree is not None:
        return work_subject(repo)
    return commit_subject(repo, require_commit(repo, at or "HEAD"))


def _verified(repo: Repository, tree: ListedTree, artifact: Artifact, released: str | None) -> Verified:
    entries = [entry for entry in tree.under(artifact.path) if entry.mode in REGULAR]
    tree.prefetch(entries)
    exhibit = Exhibit.of(tree, artifact)
    findings = list(judge(exhibit, read_document(exhibit, exhibit.record)).findings)
    here = exhibit.entries.get(CHECKSUMS)
    if released is not None and here is not None and here.oid != released:
        findings.append(found("STR-I001", exhibit.path(CHECKSUMS), "is not what HEAD released"))
    signature = _bytes(exhibit, SIGNATURE)
    verdicts: list[SignatureVerdict] | None = []
    if signature is not None:
        verdicts = signature_verdicts(repo, _bytes(exhibit, CHECKSUMS) or b"", signature)
        findings.extend(judge_signatures(artifact, signature, verdicts))
    stored = {content.stored for content in exhibit.contents.values()}
    listed = exhibit.contents.get(CHECKSUMS)
    unseen = len(exhibit.absent)
    if isinstance(tree, DeepTree):
        unseen += sum(entry.path in tree.unseen for entry in entries)
    return Verified(
        artifact,
        f"sha256:{listed.sha256}" if listed else "",
        len(exhibit.entries),
        "pointer" if "pointer" in stored else "bytes",
        None if verdicts is None else tuple(verdicts),
        tuple(findings),
        unseen,
    )


def _bytes(exhibit: Exhibit, name: str) -> bytes | None:
    try:
        return exhibit.read(name, _LIST_LIMIT) if name in exhibit.contents else None
    except (KeyError, ValueError):
        return None


def _released_lists(repo: Repository, artifacts: Sequence[Artifact]) -> dict[str, str]:
    """Artifact path -> blob id of its CHECKSUMS.txt in HEAD."""
    head = repo.head()
    if head is None:
        return {}
    tree = commit_tree(repo, head, [f"{artifact.path}/{CHECKSUMS}" for artifact in artifacts])
    return {os.path.dirname(entry.path): entry.oid for entry in tree.under("")}


def _check_ledger(repo: Repository, repository: str) -> LedgerCheck:
    from strata_git.ledger.events import read_ledger, stray_notes
    from strata_git.repo.notes import NOTES_REF

    try:
        state = read_ledger(repo, repository=repository).state
    except StrataError as error:
        return LedgerCheck(0, (), error.message)
    findings = [complaint.finding(name) for name, model in state.models.items() for complaint in model.complaints]
    events = [event for model in state.models.values() for event in model.events]
    findings += [found(stray.rule, NOTES_REF, stray.message) for stray in stray_notes(repo, events)]
    return LedgerCheck(len(state.models), tuple(findings))
