"""`verify`: is each artifact what its list says, who signed it, and does the ledger hold together (TFC-0008).

Three depths, always named: *pointer* believes Git LFS pointers (their oid is the SHA-256) and reads no large file,
*bytes* hashes what is here, *remote* asks a server which large files it holds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

from strata_git.authoring.targets import named_artifacts
from strata_git.checks.checksums import judge
from strata_git.checks.documents import read_document
from strata_git.checks.engine import exit_code
from strata_git.checks.exhibit import Exhibit
from strata_git.checks.finding import Finding, found
from strata_git.checks.model_signature import judge_model_signature, judge_model_verdict, read_model_signature
from strata_git.checks.signatures import judge_signatures
from strata_git.contracts.layout import CHECKSUMS, MODEL_SIG, SIGNATURE, Artifact
from strata_git.contracts.tree import REGULAR
from strata_git.doctor.deep import DeepTree
from strata_git.doctor.signers import Signers
from strata_git.doctor.subject import Subject, commit_subject, work_subject
from strata_git.errors import StrataError
from strata_git.integrity.armor import SIZE_LIMIT
from strata_git.integrity.signer import SignatureVerdict
from strata_git.repo.command import Repository
from strata_git.repo.tree import ListedTree, commit_tree

if TYPE_CHECKING:
    from strata_git.authoring.versions import Version
    from strata_git.integrity.gpg import Gpg
    from strata_git.integrity.oms_keys import ModelVerdict, PublicKey
    from strata_git.ledger.trust import Trust
    from strata_git.repo.lfs import Pointer
    from strata_git.repo.lfs_remote import Presence

_LIST_LIMIT = 64 << 20

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Verified:
    """What can be said of one artifact.

    `depth` is `bytes` when every file was hashed, `pointer` when Git LFS pointers spoke for some, `nothing` where no
    file's object is here. `signatures` is None
    where gpg is not installed, empty where nobody signed. `model_signature` is the verdict on model.sig, None where
    there is none that can be read. `commit` is the first commit with this content, where history was asked about.
    `stored` are the artifact's large files as pointers; `absent` those that the remote lacks, with its words.
    """

    artifact: Artifact
    digest: str
    files: int
    depth: str
    signatures: tuple[SignatureVerdict, ...] | None
    findings: tuple[Finding, ...]
    unseen: int = 0
    model_signature: ModelVerdict | None = None
    commit: str = ""
    stored: Mapping[str, Pointer] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0 fine (an unsigned artifact is), 1 with doubts, 2 when something is wrong or the remote lacks a file."""
        return max(exit_code(self.findings), 1 if self.unseen else 0, 2 if self.absent else 0)


@dataclass(frozen=True, slots=True)
class LedgerCheck:
    """Complaints on the events of all `models`; `unjudged` says why nothing can be said, `""` otherwise.

    `trust` is by which policy they were judged: `unprotected` where there is none.
    """

    models: int
    findings: tuple[Finding, ...]
    unjudged: str = ""
    trust: str = ""

    @property
    def exit_code(self) -> int:
        """0 fine, 1 with doubts, 2 when something is wrong."""
        return max(exit_code(self.findings), 1 if self.unjudged else 0)


@dataclass(frozen=True, slots=True)
class Verification:
    """All that was verified; `ledger` is None where it was not asked about, `remote` where no remote was.

    `unjudged` names, in a sentence, what could not be looked at (`""`: nothing).
    """

    subject: str
    artifacts: tuple[Verified, ...]
    ledger: LedgerCheck | None = None
    remote: Presence | None = None
    unjudged: str = ""

    @property
    def exit_code(self) -> int:
        """The worst of all; what could not be looked at is a doubt."""
        least = 1 if self.unjudged else 0
        return max([least, *(each.exit_code for each in self.artifacts), self.ledger.exit_code if self.ledger else 0])


@dataclass(frozen=True, slots=True)
class Depth:
    """How deep to look: hash the bytes that are here, ask the remote of this name (`""`: none), trust these keys.

    `signers` judges SIGNATURE.asc (default: the trust policy's keys, and the user's).
    """

    deep: bool = False
    remote: str = ""
    keys: tuple[PublicKey, ...] = ()
    progress: Progress | None = None
    signers: Signers | None = None


def verify(
    repo: Repository,
    words: Sequence[str] = (),
    *,
    cwd: Path,
    at: str | None = None,
    depth: Depth | None = None,
    repository: str = "",
    require_trust: bool = False,
) -> Verification:
    """Verify what `words` name (nothing: every artifact, and the ledger) in the work tree, or in the commit `at`.

    `repository` is the UUID that events must name (`""`: any). Raises StrataError for a word that names nothing, and
    for a remote that cannot be asked.
    """
    depth = _with_signers(repo, depth or Depth())
    subject = _subject(repo, at)
    known = [artifact for artifact in subject.artifacts if artifact.frozen]
    wanted = named_artifacts(repo, words, cwd=cwd, known=known) if words else sorted(known)
    listed = subject.files([artifact.path for artifact in wanted]) if wanted else ListedTree(repo, [])
    on_disk = at is None and repo.worktree is not None
    tree = DeepTree(repo, listed, on_disk=on_disk, progress=depth.progress) if depth.deep else listed
    released = _released_lists(repo, wanted) if on_disk else {}
    committed = listed if not on_disk else None
    verified = []
    for artifact in wanted:
        one = _verified(repo, tree, artifact, released.get(artifact.path), depth)
        if depth.remote:
            one = replace(
                one, stored=_pointers(_committed(repo, artifact) if committed is None else committed, artifact)
            )
        verified.append(one)
    ledger = None if words and not require_trust else _check_ledger(repo, repository, require_trust)
    return _with_remote(repo, Verification(subject.name, tuple(verified), ledger), depth)


def verify_history(
    repo: Repository,
    words: Sequence[str] = (),
    *,
    cwd: Path,
    span: str = "",
    depth: Depth | None = None,
    repository: str = "",
    require_trust: bool = False,
) -> Verification:
    """Verify every content that artifacts were given by the commits of `span` (`A..B`; `""`: by any commit at all).

    No file is checked out, and but for `depth.deep` no large file is read. `words` name the artifacts meant (none:
    all). With neither words nor span the ledger is checked too.
    """
    from strata_git.authoring.versions import versions_between, versions_ever
    from strata_git.doctor.judge import SHALLOW
    from strata_git.repo.history import is_shallow

    depth = _with_signers(repo, depth or Depth())
    versions = versions_between(repo, span) if span else versions_ever(repo)
    if words:
        meant = set(named_artifacts(repo, words, cwd=cwd, known=sorted({one.artifact for one in versions})))
        versions = [one for one in versions if one.artifact in meant]
    verified = [_verified_version(repo, version, depth) for version in versions]
    name = f"{span or 'the whole history'}, {len(versions)} contents of {len({v.artifact for v in versions})} artifacts"
    ledger = None if (words or span) and not require_trust else _check_ledger(repo, repository, require_trust)
    lost = SHALLOW if is_shallow(repo) else ""
    return _with_remote(repo, Verification(name, tuple(verified), ledger, unjudged=lost), depth)


def _with_signers(repo: Repository, depth: Depth) -> Depth:
    """`depth` with one judge of signatures for all artifacts, by the gpg that the user's own configuration names."""
    return replace(depth, signers=depth.signers or Signers(repo, program=repo.own_config("gpg.program")))


def user_gpg(repo: Repository) -> Gpg:
    """gpg on the user's keyring; which program that is, only the user's own configuration says."""
    from strata_git.ledger.signing import artifact_gpg

    return artifact_gpg(repo, repo.own_config("gpg.program"))


def _subject(repo: Repository, at: str | None) -> Subject:
    if at is None and repo.worktree is not None:
        return work_subject(repo)
    from strata_git.doctor.judge import require_commit  # draws in all that judges, which the work tree does not need

    return commit_subject(repo, require_commit(repo, at or "HEAD"))


def _verified_version(repo: Repository, version: Version, depth: Depth) -> Verified:
    try:
        listed = version.files(repo)
    except KeyError:
        gone = found("STR-Y003", version.artifact.path, "not judged: its directory is absent from this partial clone")
        return Verified(version.artifact, "", 0, "pointer", (), (gone,), 1, commit=version.commit)
    tree = DeepTree(repo, listed, on_disk=False, progress=depth.progress) if depth.deep else listed
    one = _verified(repo, tree, version.artifact, None, depth)
    stored = _pointers(listed, version.artifact) if depth.remote else {}
    return replace(one, commit=version.commit, stored=stored)


def _verified(repo: Repository, tree: ListedTree, artifact: Artifact, released: str | None, depth: Depth) -> Verified:
    entries = [entry for entry in tree.under(artifact.path) if entry.mode in REGULAR]
    tree.prefetch(entries)
    exhibit = Exhibit.of(tree, artifact)
    findings = list(judge(exhibit, read_document(exhibit, exhibit.record)).findings)
    here = exhibit.entries.get(CHECKSUMS)
    if released is not None and here is not None and here.oid != released:
        findings.append(found("STR-I001", exhibit.path(CHECKSUMS), "is not what HEAD released"))
    signature = _bytes(exhibit, SIGNATURE, SIZE_LIMIT)
    verdicts: list[SignatureVerdict] | None = []
    if signature is not None:
        signers = depth.signers or Signers(repo)
        verdicts = signers.verdicts(_bytes(exhibit, CHECKSUMS) or b"", signature)
        findings.extend(judge_signatures(artifact, signature, verdicts))
    findings.extend(judge_model_signature(exhibit))
    model_verdict = _model_verdict(exhibit, depth.keys, depth.signers or Signers(repo))
    if model_verdict is not None:
        findings.extend(judge_model_verdict(artifact, model_verdict))
    stored = {content.stored for content in exhibit.contents.values()}
    listed = exhibit.contents.get(CHECKSUMS)
    unseen = len(exhibit.absent)
    if isinstance(tree, DeepTree):
        unseen += sum(entry.path in tree.unseen for entry in entries)
    return Verified(
        artifact,
        f"sha256:{listed.sha256}" if listed else "",
        len(exhibit.entries),
        "pointer" if "pointer" in stored else "bytes" if stored else "nothing",
        None if verdicts is None else tuple(verdicts),
        tuple(findings),
        unseen,
        model_verdict,
    )


def _model_verdict(exhibit: Exhibit, keys: Sequence[PublicKey], signers: Signers) -> ModelVerdict | None:
    """The verdict on model.sig by the keys of the trust policy, and by `keys`; None where none can be read."""
    if MODEL_SIG not in exhibit.contents:
        return None
    bundle, _ = read_model_signature(exhibit)
    if bundle is None:
        return None
    return signers.model_verdict(bundle, keys, now=int(time()))


def _committed(repo: Repository, artifact: Artifact) -> ListedTree:
    """The artifact as HEAD has it: on the disk large files stand in place of their pointers."""
    head = repo.head()
    return commit_tree(repo, head, [artifact.path]) if head else ListedTree(repo, [])


def _pointers(tree: ListedTree, artifact: Artifact) -> dict[str, Pointer]:
    """Path → pointer of every large file that the tree stores with Git LFS."""
    from strata_git.repo.lfs import Pointer

    entries = [entry for entry in tree.under(artifact.path) if entry.mode in REGULAR]
    tree.prefetch(entries)
    found = {}
    for entry in entries:
        try:
            content = tree.content(entry)
        except KeyError:
            continue
        if content.stored == "pointer":
            found[entry.path] = Pointer(content.sha256, content.size)
    return found


def _with_remote(repo: Repository, done: Verification, depth: Depth) -> Verification:
    """What the remote says of all large files, in as few questions as it takes."""
    if not depth.remote:
        return done
    from strata_git.repo.lfs_remote import remote_presence

    pointers = [pointer for one in done.artifacts for pointer in one.stored.values()]
    presence = remote_presence(repo, depth.remote, pointers)
    told = tuple(replace(one, absent=dict(_absent(one, presence))) for one in done.artifacts)
    return replace(done, artifacts=told, remote=presence)


def _absent(one: Verified, presence: Presence) -> Iterator[tuple[str, str]]:
    for path, pointer in one.stored.items():
        if (why := presence.missing.get(pointer.oid)) is not None:
            yield path, why


def _bytes(exhibit: Exhibit, name: str, limit: int = _LIST_LIMIT) -> bytes | None:
    """A file's bytes; None where there is none, and no more than is needed to see that there are too many."""
    try:
        return exhibit.read(name, limit) if name in exhibit.contents else None
    except ValueError:
        return b"\n" * (limit + 1)
    except KeyError:
        return None


def _released_lists(repo: Repository, artifacts: Sequence[Artifact]) -> dict[str, str]:
    """Artifact path -> blob id of its CHECKSUMS.txt in HEAD."""
    head = repo.head()
    if head is None:
        return {}
    tree = commit_tree(repo, head, [f"{artifact.path}/{CHECKSUMS}" for artifact in artifacts])
    return {os.path.dirname(entry.path): entry.oid for entry in tree.under("")}


def _check_ledger(repo: Repository, repository: str, require_trust: bool) -> LedgerCheck:
    from strata_git.authoring.marks import judge_marks
    from strata_git.ledger.events import read_ledger
    from strata_git.ledger.noting import note_complaints
    from strata_git.ledger.trust import unprotected_as_error
    from strata_git.repo.notes import NOTES_REF

    try:
        ledger = read_ledger(repo, repository=repository)
    except StrataError as error:
        return LedgerCheck(0, (), error.message)
    state, trust = ledger.state, ledger.trust
    findings = [complaint.finding(name) for name, model in state.models.items() for complaint in model.complaints]
    events = [event for model in state.models.values() for event in model.events]
    for told in note_complaints(repo, events):
        findings.append(told.finding() if told.tag else found(told.rule, NOTES_REF, told.message))
    findings += judge_marks(repo, ledger, repository, required=require_trust)
    findings += unprotected_as_error(trust) if require_trust else [f for f in trust.findings if f.severity != "info"]
    return LedgerCheck(len(state.models), tuple(findings), trust=_protection(trust))


def _protection(trust: Trust) -> str:
    if trust.policy is None:
        return trust.state
    return f"version {trust.policy.version} of the trust policy, pinned by {trust.pin.source if trust.pin else ''}"
