"""`verify`: is each artifact what its list says, who signed it, and does the ledger hold together (TFC-0008)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from strata_git.authoring.targets import named_artifacts
from strata_git.checks.checksums import judge
from strata_git.checks.documents import read_document
from strata_git.checks.exhibit import Exhibit
from strata_git.checks.finding import Finding, found
from strata_git.checks.signatures import judge_signatures
from strata_git.contracts.layout import CHECKSUMS, SIGNATURE, Artifact
from strata_git.contracts.tree import REGULAR
from strata_git.doctor.judge import require_commit
from strata_git.doctor.subject import Subject, commit_subject, work_subject
from strata_git.errors import StrataError
from strata_git.integrity.digest import sha256_files
from strata_git.integrity.signer import SignatureVerdict
from strata_git.repo.command import Repository
from strata_git.repo.lfs import POINTER_LIMIT, parse_pointer
from strata_git.repo.tree import Content, Entry, ListedTree, commit_tree

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
        worst = {finding.severity for finding in self.findings}
        return 2 if "error" in worst else 1 if "warning" in worst or self.unseen else 0


@dataclass(frozen=True, slots=True)
class Verification:
    """All that was verified. `ledger` holds complaints on the ledger, None where it was not asked about."""

    subject: str
    artifacts: tuple[Verified, ...]
    ledger: tuple[str, ...] | None = None

    @property
    def exit_code(self) -> int:
        """The worst of all."""
        return max([0, *(each.exit_code for each in self.artifacts), 2 if self.ledger else 0])


def verify(
    repo: Repository,
    words: Sequence[str] = (),
    *,
    cwd: Path,
    at: str | None = None,
    deep: bool = False,
    progress: Progress | None = None,
) -> Verification:
    """Verify what `words` name (nothing: every artifact, and the ledger) in the work tree, or in the commit `at`.

    `deep` hashes the bytes of large files, where they are here, in place of believing their pointers. `progress` is
    told bytes hashed. Raises StrataError for a word that names nothing.
    """
    subject = _subject(repo, at)
    known = [artifact for artifact in subject.artifacts if artifact.frozen]
    wanted = named_artifacts(repo, words, cwd=cwd, known=known) if words else sorted(known)
    listed = subject.files([artifact.path for artifact in wanted]) if wanted else ListedTree(repo, [])
    on_disk = at is None and repo.worktree is not None
    tree = _DeepTree(repo, listed, on_disk=on_disk, progress=progress) if deep else listed
    released = _released_lists(repo, wanted) if on_disk else {}
    verified = [_verified(repo, tree, artifact, released.get(artifact.path)) for artifact in wanted]
    return Verification(subject.name, tuple(verified), None if words else _ledger_complaints(repo))


def signature_verdicts(repo: Repository, listed: bytes, signature: bytes) -> list[SignatureVerdict] | None:
    """The verdict on each signature in `signature` over `listed`; None where gpg is not installed."""
    from strata_git.integrity.gpg import Gpg

    try:
        return list(user_gpg(repo, Gpg).verify_detached(listed, signature))
    except StrataError:
        return None


def user_gpg[G](repo: Repository, kind: Callable[..., G]) -> G:
    """gpg on the user's keyring; which program that is, only the user's own configuration says."""
    return kind(None, repo.own_config("gpg.program"), environ=repo.environ)


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
    unseen = len(exhibit.absent) + (len(tree.unseen & set(exhibit.entries_by_path)) if _is_deep(tree) else 0)
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


def _ledger_complaints(repo: Repository) -> tuple[str, ...]:
    from strata_git.ledger.events import read_ledger

    return tuple(str(complaint) for complaint in read_ledger(repo).complaints)
