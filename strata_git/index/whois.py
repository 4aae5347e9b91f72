"""Whose bytes these are: the artifacts that hold a file with a SHA-256, by what CHECKSUMS.txt lists.

CHECKSUMS.txt says; whether the tree really has those bytes there is looked at for what was found, and nothing else.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import file_digest
from pathlib import Path

from strata_git.contracts.tree import REGULAR
from strata_git.errors import StrataError, UsageError, printable
from strata_git.index.export import Plain, encodable
from strata_git.index.impact import everything, key_of
from strata_git.index.places import read_places
from strata_git.index.records import ArtifactRecord, Index
from strata_git.integrity.checksums import ChecksumError, parse
from strata_git.repo.command import Repository
from strata_git.repo.lfs import POINTER_LIMIT, parse_pointer
from strata_git.repo.tree import commit_tree

SCHEMA = "strata/whois/v1"
SHORTEST = 8
"""Hex digits that a prefix must have."""
_HEX = re.compile(r"(?:sha256:)?([0-9a-fA-F]{8,64})")


@dataclass(frozen=True, slots=True)
class Holder:
    """An artifact that holds the bytes, as `file` (`""`: they are its digest or content hash, as `what` says).

    `true` tells whether the tree has these very bytes there; None where the object is absent. `places` are the branches
    and tags that have the version.
    """

    record: ArtifactRecord
    sha256: str
    file: str = ""
    what: str = "file"
    size: int = 0
    true: bool | None = None
    here: bool = True
    places: tuple[str, ...] = ()


def digest_asked(text: str, cwd: Path) -> str:
    """The SHA-256 (or a prefix of at least eight digits) that `text` is, or that the file of this name has.

    A Git LFS pointer stands for its object. Raises UsageError where it is neither.
    """
    match = _HEX.fullmatch(text)
    path = cwd / text
    if match is not None and not path.is_file():
        return match[1].lower()
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise ValueError(text)
            head = stream.read(POINTER_LIMIT + 1)
            stream.seek(0)
            pointer = parse_pointer(head)
            return pointer.oid if pointer else file_digest(stream, "sha256").hexdigest()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError):
        what = f"at least {SHORTEST} hex digits of a SHA-256" if re.fullmatch("[0-9a-fA-F]+", text) else "a SHA-256"
        raise UsageError(f"'{printable(text)}' is neither a file here nor {what}.") from None
    except OSError as error:
        raise StrataError(f"{printable(text)} cannot be read: {error.strerror}.") from None


def whois(repo: Repository, index: Index, digest: str) -> tuple[Holder, ...]:
    """Every artifact, on any branch or in the past, that holds bytes whose SHA-256 begins with `digest`."""
    here = {key_of(record) for record in index.artifacts}
    found = [replace(one, here=key_of(one.record) in here) for one in _holders(repo, everything(index), digest)]
    places = read_places(repo, [one.record for one in found], tags=True)
    told = []
    for one in found:
        size, true = _looked_at(repo, one) if one.file else (0, True)
        told.append(replace(one, size=size, true=true, places=places[key_of(one.record)]))
    return tuple(sorted(told, key=lambda one: (not one.here, one.record.reference, one.record.tree, one.file)))


def _looked_at(repo: Repository, one: Holder) -> tuple[int, bool | None]:
    """Bytes of a file found, and whether they are those that were asked for."""
    tree = commit_tree(repo, one.record.tree)
    entry = tree.get(one.file)
    if entry is None or entry.mode not in REGULAR:
        return 0, False
    try:
        content = tree.content(entry)
    except KeyError:
        return 0, None
    return content.size, content.sha256 == one.sha256


def _holders(repo: Repository, records: Sequence[ArtifactRecord], digest: str) -> Iterator[Holder]:
    for record in records:
        for what, value in (("digest", record.digest), ("content hash", record.content_hash)):
            known = (value or "").removeprefix("sha256:")
            if known.startswith(digest):
                yield Holder(record, known, what=what)
    listed: dict[str, list[ArtifactRecord]] = {}
    for record in records:
        if record.checksums_oid is not None:
            listed.setdefault(record.checksums_oid, []).append(record)
    wanted = digest.encode()
    for oid, _, data in repo.objects.read_many(sorted(listed)):
        if data is not None and wanted in data:
            yield from (Holder(r, sha256, name) for r in listed[oid] for name, sha256 in _hits(data, digest))
    for record in records:
        if record.artifact.kind == "service":  # no CHECKSUMS.txt: it may change
            yield from _unsealed(repo, record, digest)


def _hits(data: bytes, digest: str) -> list[tuple[str, str]]:
    try:
        return [(name, sha256) for name, sha256 in parse(data).items() if sha256.startswith(digest)]
    except ChecksumError:
        return []


def _unsealed(repo: Repository, record: ArtifactRecord, digest: str) -> Iterator[Holder]:
    tree = commit_tree(repo, record.tree)
    entries = tree.under("")
    tree.prefetch(entries)
    for entry in entries:
        try:
            content = tree.content(entry)
        except KeyError:
            continue
        if content.sha256.startswith(digest):
            yield Holder(record, content.sha256, entry.path)


# -- told ------------------------------------------------------------------------------------------------------------


def whois_text(holders: Iterable[Holder]) -> str:
    """Holders for people, by what they hold."""
    lines: list[str] = []
    last = ""
    for one in sorted(holders, key=lambda each: each.sha256):
        if one.sha256 != last:
            lines += [*([""] if lines else []), one.sha256]
            last = one.sha256
        what = f"{one.record.artifact.path}/{one.file}  {one.size:,} bytes" if one.file else f"its {one.what}"
        lines.append(f"  {one.record.reference}  {what}{_doubt(one)}")
        introduced = one.record.introduced
        if introduced is not None:
            lines.append(f"    since {introduced.commit} {introduced.date} {introduced.author}: {introduced.subject}")
        lines.append(f"    on {', '.join(one.places[:8])}" if one.places else "    only in the past (removed)")
    return "\n".join(lines)


def whois_document(asked: str, digest: str, holders: Iterable[Holder], revision: str) -> Plain:
    """Holders for programs (schema strata/whois/v1)."""
    return encodable({
        "schema": SCHEMA,
        "revision": revision or None,
        "asked": asked,
        "sha256": digest,
        "holders": [
            {"reference": one.record.reference, "kind": one.record.artifact.kind, "tree": one.record.tree,
             "what": one.what, "path": f"{one.record.artifact.path}/{one.file}" if one.file else None,
             "sha256": one.sha256, "bytes": one.size if one.file else None, "true": one.true, "here": one.here,
             "introduced": one.record.introduced.commit if one.record.introduced else None,
             "places": list(one.places)}
            for one in holders
        ],
    })  # fmt: skip


def _doubt(one: Holder) -> str:
    if one.true is False:
        return "  LISTED, BUT NOT THERE: its bytes are others"
    return "  (listed; the object is not here)" if one.true is None else ""
