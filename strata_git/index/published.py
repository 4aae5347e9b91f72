"""A repository's own index under `refs/strata/index`: small, signed, and enough for others to ask about it.

The reference holds a signed tag of a commit without history, whose tree is one file, `index.json`. The record in the
tag binds the file's SHA-256, so `git verify-tag` and `git show refs/strata/index:index.json | sha256sum` are enough to
check it. Written anew each time; what a stranger writes there counts for nothing before a key is known.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime

from strata_git.canonical import canonical_json
from strata_git.config import Settings
from strata_git.errors import StrataError
from strata_git.index.build import build
from strata_git.index.export import index_document
from strata_git.index.fetching import PUBLISHED
from strata_git.index.imported import read_index
from strata_git.index.receiving import receiving_keys
from strata_git.index.records import Index, Signature
from strata_git.index.vouch import signer
from strata_git.integrity.signer import is_signed
from strata_git.ledger.record import (
    MOMENT,
    OID,
    TAG_LIMIT,
    UUID,
    RecordError,
    TagError,
    check_fields,
    format_message,
    format_tag,
    like,
    parse_canonical,
    parse_tag,
    split_message,
)
from strata_git.ledger.signing import Verifier, committer, signer_for
from strata_git.ledger.writing import Author, signed_tag
from strata_git.load import Unloadable, load_json
from strata_git.repo.command import Repository
from strata_git.repo.objects import TooLarge
from strata_git.repo.refs import Transaction, read_ref

SCHEMA = "strata/published/v1"
FILE = "index.json"
LIMIT = 64 << 20
"""Bytes of an index that are read."""


@dataclass(frozen=True, slots=True)
class PublishedRecord:
    """What the signature is over: whose index, of which revision, with which bytes, made when."""

    repo: str
    revision: str
    sha256: str
    issued_at: str

    def as_json(self) -> dict[str, object]:
        """The record as the JSON object that stands in the tag."""
        return {"schema": SCHEMA, "repo": self.repo, "revision": self.revision, "sha256": self.sha256,
                "issued_at": self.issued_at}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Published:
    """An index as it was found. `flaw` says why it is none (`""`: it is one); `signature` whose word it is, `trusted`
    whether a key that counts here vouches for it; `left_out` how many entries could not be read."""

    flaw: str = ""
    record: PublishedRecord | None = None
    index: Index = field(default_factory=Index)
    signature: Signature | None = None
    trusted: bool = False
    left_out: int = 0


def publish(
    repo: Repository, settings: Settings, *, key: str = "", terminal: str | None = None, now: datetime | None = None,
    verifier: Verifier | None = None,
) -> PublishedRecord:  # fmt: skip
    """Sign the index of HEAD and put it under `refs/strata/index`, here; pushing it is another step.

    Raises StrataError where there is no commit, no identity (strata.yaml), or the key cannot sign.
    """
    if not settings.repository:
        raise StrataError("strata.yaml names no repository id, so nobody could tell whose index this is.",
                          hint="git strata init .    writes one")  # fmt: skip
    moment = now or datetime.now(UTC)
    index = build(repo)
    if not index.revision:
        raise StrataError("Nothing is committed yet.", hint="git strata federate publish    after the first commit")
    data = canonical_json(index_document(index))
    record = PublishedRecord(
        settings.repository, index.revision, hashlib.sha256(data).hexdigest(), moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    )
    signing = signer_for(repo, key=key, configured=settings.signing_key, terminal=terminal)
    keys = verifier or receiving_keys(repo, settings.repository, now=moment)
    author = Author(signing, keys, settings.repository, index.revision, moment)
    who, when = committer(repo), int(moment.timestamp())
    message = format_message(f"The index of {index.revision}", "", record)
    unsigned = format_tag(_commit(repo, data, who, when), PUBLISHED.removeprefix("refs/strata/"), who, when, message)
    payload, signature, _ = signed_tag(author, unsigned, "The published index")
    changes = Transaction(repo)
    oid = repo.git("mktag", input=payload + signature).decode().strip()
    changes.update(PUBLISHED, oid, read_ref(repo, PUBLISHED) or repo.null_oid)
    changes.commit()
    return record


def read_published(repo: Repository, verifier: Verifier) -> Published | None:
    """The index that `repo` holds under `refs/strata/index`, judged by `verifier`; None where there is none."""
    oid = read_ref(repo, PUBLISHED)
    if oid is None:
        return None
    try:
        kind, data = repo.objects.read(oid, TAG_LIMIT)
        if kind != "tag":
            return Published("it is no tag, so nobody signed it")
        tag = parse_tag(data)
        record = _record(split_message(tag.message)[1])
        name = f"{tag.target}:{FILE}"
        kind, content = repo.objects.read(name, LIMIT)
        if kind != "blob" or hashlib.sha256(content).hexdigest() != record.sha256:
            return Published(f"{FILE} is not the file that the record names", record)
        imported = read_index(load_json(content, limit=LIMIT).value)
    except Unloadable as error:
        return Published(f"{FILE} cannot be read: {error.message}")
    except (KeyError, TooLarge, TagError, RecordError, ValueError) as error:
        return Published(str(error).strip("'") or "it cannot be read")
    if tag.tag != PUBLISHED.removeprefix("refs/strata/"):
        return Published(f"the tag object is that of {tag.tag}", record)
    if imported.index.revision != record.revision:
        return Published("index and record name different revisions", record)
    verdicts = tuple(verifier.verify_tag_payload(tag.payload, tag.signature)) if tag.signature else ()
    shown = signer(verdicts[0]) if verdicts else None
    return Published("", record, imported.index, shown, is_signed(verdicts), imported.left_out)


def _commit(repo: Repository, data: bytes, who: str, when: int) -> str:
    blob = repo.write_object("blob", data)
    tree = repo.git("mktree", "-z", input=f"100644 blob {blob}\t{FILE}\0".encode()).decode().strip()
    person = f"{who} {when} +0000"
    return repo.write_object("commit", f"tree {tree}\nauthor {person}\ncommitter {person}\n\nThe index\n".encode())


def _record(text: str) -> PublishedRecord:
    value = parse_canonical(text, SCHEMA)
    checks = {"repo": like(UUID), "revision": like(OID), "sha256": _is_sha256, "issued_at": like(MOMENT)}
    check_fields(value, checks)
    return PublishedRecord(value["repo"], value["revision"], value["sha256"], value["issued_at"])


def _is_sha256(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and not set(value) - set("0123456789abcdef")
