"""`evidence`: one archive from which an auditor can verify an artifact without us, and without the repository.

    verify.sh VERIFY.md SHA256SUMS      what to do, and every member's digest
    facts.txt evidence.json             what is claimed, for the script and for people
    repository.bundle                   tags, approvals, receipts, commits and the trees and records below them
    artifacts/<path>/...                the records (with_data: all files) of everything on the way
    keys/ policy/<version>/             public keys of the signers; every version of the trust policy
    lineage.json notes.jsonl            the lineage, and the events as in-toto statements

The archive follows from the revision, the references and the keyring: the same three give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from strata_git import __version__
from strata_git.checks.finding import Finding
from strata_git.checks.formats import as_plain
from strata_git.contracts.layout import POLICY, SIGNATURE, Artifact
from strata_git.contracts.tree import REGULAR, relative
from strata_git.errors import StrataError, printable
from strata_git.exchange.archive import write_archive
from strata_git.exchange.content import write_content
from strata_git.exchange.evidence_facts import Held, facts_of, held
from strata_git.exchange.evidence_keys import PublicKeys
from strata_git.exchange.evidence_objects import Objects, is_record
from strata_git.exchange.evidence_words import instructions, script
from strata_git.exchange.reading import read_subject
from strata_git.exchange.subject import Subject
from strata_git.index.export import lineage_document
from strata_git.index.records import ArtifactRecord, Index, Signature
from strata_git.integrity.digest import sha256_directory
from strata_git.integrity.gpg import Gpg
from strata_git.ledger.assurances import present_keys
from strata_git.ledger.event import Event
from strata_git.ledger.events import HEADS, Ledger, read_ledger
from strata_git.ledger.materials import note_lines
from strata_git.ledger.names import TAGS
from strata_git.ledger.receipt import Receipt
from strata_git.ledger.receipts import read_receipts
from strata_git.ledger.record import parse_tag
from strata_git.ledger.trust import BLOCKS, SIGNATURES, Signed
from strata_git.load import dump_json
from strata_git.repo.command import Repository
from strata_git.repo.files import write_file
from strata_git.repo.history import read_commit
from strata_git.repo.tree import commit_tree

SCHEMA = "strata/evidence/v1"
REVISION = "refs/heads/evidence"
_SUMS = "SHA256SUMS"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was written: the archive's path and size, what it tells of, and what speaks against it."""

    path: Path
    bytes: int
    artifacts: tuple[str, ...]
    events: tuple[str, ...]
    keys: tuple[str, ...]
    absent_keys: tuple[str, ...]
    findings: tuple[Finding, ...]


def write_evidence(
    repo: Repository, index: Index, reference: str, target: Path, *, repository: str = "", with_data: bool = False
) -> Evidence:
    """Write the archive of the artifact that `reference` means to `target`.

    Raises StrataError where history or (with `with_data`) bytes are not in this clone. What is wrong with the artifact
    or its events does not hinder: it is told in `findings` and in the archive.
    """
    ring = Gpg(None, environ=repo.environ)
    subject = read_subject(repo, index, reference, ring, repository=repository)
    model = subject.artifact.name if subject.artifact.kind == "model" else None
    ledger = read_ledger(repo, repository=repository, model=model) if model else Ledger()
    with TemporaryDirectory(prefix="strata-") as folder:
        gone = any(node.record is None and node.state == "removed" for node in subject.lineage.nodes)
        holding = held(subject, index.elsewhere if gone else ())
        case = _Case(repo, subject, ledger, Path(folder), with_data, PublicKeys(ring), holding)
        findings = _findings(subject, ledger)
        case.gather(findings)
        when = _unix_time(read_commit(repo, index.revision).committed)
        name = f"evidence-{subject.artifact.name}" + (
            f"-{subject.artifact.version}" if subject.artifact.version else ""
        )
        size = write_archive(Path(folder), target, folder=name, when=when)
    return Evidence(
        target,
        size,
        tuple(record.reference for record in case.records),
        tuple(event.tag for event in case.events),
        (*sorted(case.keys.gpg), *sorted(case.keys.ssh)),
        tuple(sorted(case.keys.absent)),
        findings,
    )


def _findings(subject: Subject, ledger: Ledger) -> tuple[Finding, ...]:
    told = [finding for finding in ledger.trust.findings if finding.severity != "info"]
    return tuple(dict.fromkeys((*subject.lineage.findings, *told)))


@dataclass(slots=True)
class _Case:
    """Everything that is gathered into `place`."""

    repo: Repository
    subject: Subject
    ledger: Ledger
    place: Path
    with_data: bool
    keys: PublicKeys
    holding: list[Held]

    @property
    def records(self) -> list[ArtifactRecord]:
        """The artifacts on the way, the subject among them."""
        return [each.record for each in self.holding]

    @property
    def events(self) -> Sequence[Event]:
        """Every event of the model."""
        if self.subject.artifact.kind != "model":
            return ()
        return self.ledger.model(self.subject.artifact.name).events

    def gather(self, findings: Iterable[Finding]) -> None:
        """Write all members."""
        for each in self.holding:
            self._copy(each.record.artifact, each.at)
            self._sign(each.record)
        self._write("repository.bundle", self._bundle())
        self._policies()
        self._write("lineage.json", dump_json(lineage_document(self.subject.lineage, self.subject.revision)))
        self._write("notes.jsonl", b"".join(line + b"\n" for line in self._notes()))
        for name, data in self.keys.files().items():
            self._write(f"keys/{name}", data)
        self._write("facts.txt", facts_of(self.subject, self.holding, self.repo.object_format, self._head()))
        self._write("evidence.json", dump_json(self._told(findings)))
        self._write("verify.sh", script())
        governed = bool(self.ledger.trust.versions)
        words = instructions(self.subject, with_data=self.with_data, governed=governed)
        self._write("VERIFY.md", words.encode())
        sums = sha256_directory(self.place)
        self._write(_SUMS, "".join(f"{sha256}  {name}\n" for name, sha256, _ in sums).encode())

    def _write(self, name: str, data: bytes) -> None:
        path = self.place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, data, durable=False)

    # -- files ---------------------------------------------------------------------------------------------------

    def _copy(self, artifact: Artifact, revision: str) -> None:
        """The records of an artifact as they are at `revision`; with data every file."""
        tree = commit_tree(self.repo, revision, [artifact.path])
        for entry in tree.under(artifact.path):
            name = relative(entry.path, artifact.path)
            if entry.mode not in REGULAR or not (self.with_data or is_record(artifact.kind, name)):
                continue
            place = self.place / "artifacts" / entry.path
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                write_content(self.repo, tree, entry, place)
            except KeyError:
                raise StrataError(
                    f"{printable(entry.path)} is not in this clone.", hint="git fetch --refetch --no-filter"
                ) from None

    def _sign(self, record: ArtifactRecord) -> None:
        """The keys behind SIGNATURE.asc."""
        path = self.place / "artifacts" / record.artifact.path / SIGNATURE
        if path.is_file():
            self.keys.add_signed(path.read_bytes(), _good(record.signers))

    # -- git -----------------------------------------------------------------------------------------------------

    def _head(self) -> str:
        """The last event of the model's line."""
        last = self.ledger.model(self.subject.artifact.name).head if self.events else None
        return last.oid if last else ""

    def _bundle(self) -> bytes:
        """Revision, introducing and judged commits with the artifacts' trees, all tags of the model, its approvals, the
        receipts for its runs."""
        objects = Objects(self.repo)
        refs = {REVISION: self.subject.revision}
        for each in self.holding:
            record, artifact = each.record, each.record.artifact
            self._add(objects, each.at, artifact)
            if record.introduced is not None:
                self._add(objects, record.introduced.commit, artifact)
        objects.add_commit(self.subject.revision, POLICY.rpartition("/")[0], lambda _: True)
        for event in self.events:
            refs[f"{TAGS}{event.tag}"] = event.oid
            objects.add(event.oid)
            if event.record is None or not event.evidence.present:
                continue
            artifact = Artifact("model", event.record.model, event.record.version)
            for commit in (event.target, *objects.parents(event.target), event.record.judged_at):
                self._add(objects, commit, artifact)
            self._sign_tag(event.oid, [v.primary or v.fingerprint for v in event.signatures if v.good])
        if self.events and (head := self.ledger.heads.get(self.subject.artifact.name)):
            refs[f"{HEADS}{self.subject.artifact.name}"] = head
            objects.add(head)
        for approval in self.ledger.approvals_of(self.subject.artifact.name) if self.events else ():
            refs[approval.ref] = approval.oid
            objects.add(approval.oid)
            self._sign_tag(approval.oid, [v.primary or v.fingerprint for v in approval.signatures if v.good])
        for receipt in self._receipts():
            refs[receipt.ref] = receipt.oid
            objects.add(receipt.oid)
            self._sign_tag(receipt.oid, [v.primary or v.fingerprint for v in receipt.signatures if v.good])
        return objects.bundle(refs)

    def _receipts(self) -> Iterator[Receipt]:
        """The receipts for the runs on the way whose signatures count now, and whose commits are here."""
        keys = present_keys(self.repo, self.ledger.trust, now=datetime.now(UTC))
        for record in self.records:
            if record.artifact.kind != "run":
                continue
            for receipt in read_receipts(self.repo, keys, run=record.artifact.name):
                if receipt.record is not None and receipt.signed and self.repo.resolve(receipt.record.commit):
                    yield receipt

    def _add(self, objects: Objects, commit: str, artifact: Artifact) -> None:
        objects.add_commit(commit, artifact.path, lambda name: is_record(artifact.kind, name))

    def _sign_tag(self, oid: str, fingerprints: Iterable[str]) -> None:
        self.keys.add_signed(parse_tag(self.repo.objects.read(oid)[1]).signature, fingerprints)

    # -- trust ---------------------------------------------------------------------------------------------------

    def _policies(self) -> None:
        for signed in self.ledger.trust.versions:
            folder = f"policy/{signed.policy.version}"
            for name, data in _policy_files(signed).items():
                self._write(f"{folder}/{name}", data)

    def _notes(self) -> list[bytes]:
        told = [event for event in self.events if event.signed and event.evidence.present]
        return sorted({line for lines in note_lines(self.repo, told).values() for line in lines})

    def _told(self, findings: Iterable[Finding]) -> dict[str, object]:
        record = self.subject.record
        trust = self.ledger.trust
        return {
            "schema": SCHEMA,
            "made_by": f"git-strata {__version__}",
            "artifact": record.reference,
            "digest": record.digest,
            "content_hash": record.content_hash,
            "repository": self.subject.repository,
            "revision": self.subject.revision,
            "stages": list(record.stages),
            "with_data": self.with_data,
            "trust": {
                "state": trust.state,
                "pin": trust.pin.text if trust.pin else None,
                "versions": [{"version": each.policy.version, "digest": each.policy.digest} for each in trust.versions],
            },
            "artifacts": [
                {
                    "reference": each.reference,
                    "path": each.artifact.path,
                    "digest": each.digest,
                    "introduced": each.introduced.commit if each.introduced else None,
                    "signatures": [{"key": s.fingerprint, "status": s.status} for s in each.signers],
                }
                for each in self.records
            ],
            "events": [
                {
                    "tag": event.tag,
                    "oid": event.oid,
                    "reason": event.reason,
                    "keys": [v.primary or v.fingerprint or v.key_id for v in event.signatures],
                    "counts": event.signed,
                }
                for event in self.events
            ],
            "keys": {"gpg": sorted(self.keys.gpg), "ssh": sorted(self.keys.ssh), "absent": sorted(self.keys.absent)},
            "findings": [as_plain(finding) for finding in findings],
        }


def _unix_time(moment: str) -> int:
    try:
        return max(0, int(datetime.fromisoformat(moment).timestamp()))
    except (ValueError, OverflowError):
        return 0


def _good(signers: Iterable[Signature]) -> list[str]:
    return [signature.fingerprint for signature in signers if signature.status == "good"]


def _policy_files(signed: Signed) -> Mapping[str, bytes]:
    """A version of the policy with the public keys and signatures that history holds for it."""
    found = {"policy.yaml": signed.data}
    for name, data in signed.keys:
        if "/" not in name and name.endswith((".asc", ".pub", ".pem")):
            place = f"keys/{name}"
            found[place] = found.get(place, b"") if data in found.get(place, b"") else found.get(place, b"") + data
    armored = b"".join(block for block in signed.signatures if block.startswith(b"-----BEGIN PGP"))
    others = [block for block in signed.signatures if not block.startswith(b"-----BEGIN PGP")]
    if armored:
        found[BLOCKS] = armored
    return found | {f"{SIGNATURES}/{number}.sig": block for number, block in enumerate(others, 1)}
