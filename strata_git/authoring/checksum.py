"""`checksum`: write or repair what an unreleased artifact says of its own content (TFC-0008 section 2)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from strata_git.contracts.layout import CHECKSUMS, METADATA, RUN_RECORD, SIGNATURE, UNSUMMED, Artifact
from strata_git.errors import StrataError, printable
from strata_git.integrity import checksums
from strata_git.integrity.digest import list_files, sha256_files
from strata_git.repo.command import Repository
from strata_git.repo.files import write_file
from strata_git.repo.lfs import POINTER_LIMIT, parse_pointer
from strata_git.repo.tree import commit_tree

_SHORTEST_POINTER = 100  # bytes; a smaller file cannot be one
_LIMIT = 1 << 20

Progress = Callable[[int], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sealed:
    """What an artifact's files come to. `changed`: names of the files that were rewritten (none: all was true)."""

    artifact: Artifact
    digest: str
    content_hash: str
    files: int
    bytes: int
    changed: tuple[str, ...]


def is_released(repo: Repository, artifact: Artifact) -> bool:
    """Whether HEAD contains the version."""
    head = repo.head()
    return head is not None and bool(commit_tree(repo, head, [artifact.path]).under(artifact.path))


def seal_directory(repo: Repository, artifact: Artifact, *, progress: Progress | None = None) -> Sealed:
    """Make CHECKSUMS.txt, content_hash and the splits' counts of an artifact true.

    A run has no metadata.yaml, so only its list is written. Raises StrataError when the version is released, is signed
    and would change, or holds what no list can.
    """
    if artifact.kind == "service":
        raise StrataError(f"{artifact.reference} is a service: services carry no checksums.")
    if is_released(repo, artifact):
        raise StrataError(
            f"{artifact.reference} is released: HEAD contains it, and it never changes.",
            hint="Put the change into the next version; git strata verify tells what differs.",
        )
    root = repo.require_worktree() / artifact.path
    contents = hash_directory(root, progress=progress)
    record = RUN_RECORD if artifact.kind == "run" else METADATA
    if record not in contents:
        raise StrataError(f"{artifact.path} has no {record}.", hint=f"Write {artifact.path}/{record} first.")
    sums = {name: hex_ for name, (hex_, _) in contents.items()}
    changes: dict[str, bytes] = {}
    content_hash = _sound(artifact, lambda: checksums.content_hash(sums, kind=artifact.kind))
    if artifact.kind != "run":
        metadata = _mended(artifact, root, content_hash, contents)
        if metadata is not None:
            changes[METADATA] = metadata
            sums[METADATA] = checksums.digest(metadata).removeprefix("sha256:")
    listed = _sound(artifact, lambda: checksums.render(sums))
    if _bytes_of(root / CHECKSUMS) != listed:
        changes[CHECKSUMS] = listed
    _write(artifact, root, changes)
    size = sum(size for _, size in contents.values())
    return Sealed(artifact, checksums.digest(listed), content_hash, len(sums), size, tuple(changes))


def hash_directory(
    root: Path, *, names: Collection[str] | None = None, progress: Progress | None = None
) -> dict[str, tuple[str, int]]:
    """(SHA-256 hex, bytes) of each file of an artifact on the disk but those no list holds; `names`: only these.

    A Git LFS pointer that was not replaced by its file counts as the file it stands for. Raises StrataError for links,
    special files and an empty directory.
    """
    wanted = [name for name in list_files(root) if name not in UNSUMMED] if names is None else list(names)
    if not wanted:
        raise StrataError(f"{printable(str(root))} holds no files.")
    found = {}
    for name, hex_, size in sha256_files(wanted, root=root, progress=progress):
        pointer = parse_pointer((root / name).read_bytes()) if _SHORTEST_POINTER < size <= POINTER_LIMIT else None
        found[name] = (pointer.oid, pointer.size) if pointer else (hex_, size)
    return found


def _write(artifact: Artifact, root: Path, changes: Mapping[str, bytes]) -> None:
    if changes and os.path.lexists(root / SIGNATURE):
        raise StrataError(
            f"{artifact.reference} is signed, and {', '.join(changes)} would change: the signatures would be bad.",
            hint=f"rm {artifact.path}/{SIGNATURE} && git strata checksum {artifact.path} && "
            f"git strata sign {artifact.path}",
        )
    for name, data in changes.items():  # the list last: until then the old one tells that something is amiss
        write_file(root / name, data)


def _sound(artifact: Artifact, act: Callable[[], T]) -> T:
    try:
        return act()
    except (checksums.ChecksumError, UnicodeEncodeError) as error:
        told = error.message if isinstance(error, checksums.ChecksumError) else "a name is not UTF-8"
        raise StrataError(f"{artifact.reference}: {told}.", hint="Rename the file.") from None


def _mended(artifact: Artifact, root: Path, content_hash: str, contents: Mapping[str, tuple[str, int]]) -> bytes | None:
    """metadata.yaml with true figures; None when they are true already. Only the lines that are wrong change."""
    from strata_git.load import Document, Unloadable, dump_yaml, load_yaml

    path = root / METADATA
    data = path.read_bytes()

    def loaded(text: bytes) -> Document:
        try:
            return load_yaml(text)
        except Unloadable as error:
            place = f"{artifact.path}/{METADATA}:{error.line}"
            raise StrataError(f"{place}: {printable(error.message)}", hint="Mend that line first.") from None

    document = loaded(data)
    if not isinstance(document.value, dict):
        raise StrataError(f"{artifact.path}/{METADATA} is not a mapping of keys to values.")
    wanted = _figures(root, document.value, contents) if artifact.kind == "dataset" else {}
    wanted[("content_hash",)] = content_hash
    wrong = {keys: value for keys, value in wanted.items() if _at(document.value, keys) != value}
    if not wrong:
        return None
    true = _replaced(document.value, wrong)
    text = _edited(data, {keys: (document.lines.get(keys, 0), value) for keys, value in wrong.items()})
    if text is not None and load_yaml(text).value == true:
        return text
    return dump_yaml(true)


def _figures(
    root: Path, value: Mapping[str, object], contents: Mapping[str, tuple[str, int]]
) -> dict[tuple[str, ...], object]:
    """files, bytes and (of tables) rows of each split that lies inside and has files."""
    figures: dict[tuple[str, ...], object] = {}
    splits = value.get("splits")
    for name, said in splits.items() if isinstance(splits, dict) else ():
        path = said.get("path") if isinstance(said, dict) else None
        if not isinstance(path, str):
            continue
        inside = "" if path == "." else path.rstrip("/")
        files = [
            file
            for file in contents
            if file == inside or (file.startswith(f"{inside}/" if inside else "") and file != METADATA)
        ]
        if not files:
            continue
        figures["splits", name, "files"] = len(files)
        figures["splits", name, "bytes"] = sum(contents[file][1] for file in files)
        rows = _rows(root, files, said.get("rows"))
        if rows is not None:
            figures["splits", name, "rows"] = rows
    return figures


def _rows(root: Path, files: Sequence[str], said: object) -> int | None:
    """Records of the files, where all are tables; what was said stays when it is right for tables without headings."""
    from strata_git.authoring.tables import read_table

    counts: dict[bool, int] = {}
    for header in (True, False):
        rows = [read_table(root / file, header=header).rows for file in files]
        if None in rows:
            return None
        counts[header] = sum(row for row in rows if row is not None)
        if counts[header] == said:
            return counts[header]
    return counts[True]


def _at(value: object, keys: tuple[str, ...]) -> object:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _replaced(value: object, wrong: Mapping[tuple[str, ...], object]) -> object:
    """A copy of a mapping with some values set."""
    if not isinstance(value, dict):
        return value
    copy = dict(value)
    for key in {keys[0] for keys in wrong}:
        inner = {keys[1:]: new for keys, new in wrong.items() if keys[0] == key}
        copy[key] = inner[()] if () in inner else _replaced(copy.get(key), inner)
    return copy


def _edited(data: bytes, wrong: Mapping[tuple[str, ...], tuple[int, object]]) -> bytes | None:
    """`data` with values replaced on their own lines, or a missing top-level key added; None when that cannot be."""
    lines = data.decode().split("\n")
    for keys, (number, value) in wrong.items():
        if not number:
            if len(keys) > 1 or lines[-1]:
                return None
            lines[-1:] = [f"{keys[0]}: {value}", ""]
            continue
        pattern = rf"(\s*(?:\"{re.escape(keys[-1])}\"|{re.escape(keys[-1])})\s*:)(?:\s+[^\s#]+)?(\s*(?:\s#.*)?)"
        match = re.fullmatch(pattern, lines[number - 1])
        if match is None:
            return None
        lines[number - 1] = f"{match[1]} {value}{match[2]}"
    return "\n".join(lines).encode()


def _bytes_of(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
