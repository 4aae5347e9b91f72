"""`dataset add`: files from anywhere become the next version of a dataset (TFC-0004)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from strata_git.authoring.selection import Selection, overlaps, select_files
from strata_git.authoring.tables import Table, describe, read_table
from strata_git.contracts.layout import CHECKSUMS, METADATA, NAME, VERSION, Artifact, parse_reference
from strata_git.errors import StrataError, UsageError, printable
from strata_git.integrity import checksums
from strata_git.integrity.digest import sha256_directory
from strata_git.repo.command import Repository
from strata_git.repo.files import copy_file, fsync_dir, unwritable, write_file
from strata_git.repo.history import first_appearances

PENDING = ".strata/local/pending"
_LIMIT = 1 << 20
_ATTEMPTS = 20

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class DatasetRequest:
    """What to add: `source` a file or directory, `splits` (name, glob) pairs (none: one split of everything).

    `parents` are references to dataset versions and runs. `header`: the first record of a csv or tsv names its columns.
    """

    source: Path
    name: str
    splits: tuple[tuple[str, str], ...] = ()
    given: str = ""
    description: str = ""
    licence: str = "NOASSERTION"
    process: str = "copied unchanged"
    parents: tuple[str, ...] = ()
    header: bool = True


@dataclass(frozen=True, slots=True)
class AddedDataset:
    """What was added. `ignored`: an ignore rule matches some files, so `git add` needs -f."""

    artifact: Artifact
    digest: str
    content_hash: str
    splits: Mapping[str, Mapping[str, object]]
    files: int
    bytes: int
    warnings: tuple[str, ...]
    ignored: bool


def add_dataset(
    repo: Repository, request: DatasetRequest, *, now: datetime | None = None, progress: Progress | None = None
) -> AddedDataset:
    """Copy, count, hash and describe the files, and put the version in place by one rename.

    `progress` is told bytes copied. Raises StrataError, leaving nothing behind, for a source or name that cannot be
    part of an artifact.
    """
    root = repo.require_worktree()
    if not NAME.fullmatch(request.name):
        raise UsageError(
            f"'{printable(request.name)}' cannot name a dataset.",
            hint="A name is lower-case letters and digits, joined by single - or _.",
        )
    parents = [_cited_parent(repo, text) for text in request.parents]
    selection = select_files(request.source, request.splits)
    warnings = overlaps(selection)
    with pending(root, f"dataset-{request.name}") as place:
        for split, names in selection.splits.items():
            _copy(selection.base, names, place / split, progress or _silent)
        about, splits, sums, size = _describe(request, selection, place, parents, now or datetime.now(UTC))
        artifact, digest = _put_in_place(repo, place, request.name, about, sums)
    ignored = _ignored(repo, artifact, sums)
    return AddedDataset(artifact, digest, str(about["content_hash"]), splits, len(sums), size, tuple(warnings), ignored)


# -- making the version -------------------------------------------------------------------------------------------


@contextmanager
def pending(root: Path, what: str) -> Iterator[Path]:
    """A directory of our own that Git ignores and that is gone afterwards, whatever happens."""
    place = root / PENDING / f"{what}-{os.getpid()}"
    try:
        place.mkdir(parents=True)
    except OSError as error:
        raise unwritable(place, error) from None
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _copy(base: Path, names: Sequence[str], target: Path, progress: Progress) -> None:
    for name in names:
        try:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(target / name, error) from None
        progress(copy_file(base / name, target / name))


def _describe(
    request: DatasetRequest, selection: Selection, place: Path, parents: list[dict[str, str]], now: datetime
) -> tuple[dict[str, object], dict[str, dict[str, object]], dict[str, str], int]:
    hashed = sha256_directory(place)
    sums = {name: hex_ for name, hex_, _ in hashed}
    sizes = {name: size for name, _, size in hashed}
    tables = {name: read_table(place / name, header=request.header) for name in sums}
    splits: dict[str, dict[str, object]] = {}
    for split, names in selection.splits.items():
        paths = [f"{split}/{name}" for name in names]
        rows = _total([tables[path] for path in paths])
        splits[split] = {
            "path": split, "files": len(paths), "rows": rows, "bytes": sum(sizes[path] for path in paths)
        }  # fmt: skip
    moment = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    about: dict[str, object] = {
        "kind": "dataset",
        "name": request.name,
        "version": "",
        "created": moment,
        "description": request.description or f"The dataset {request.name}.",
        "licence": request.licence,
        "provenance": {
            "source": request.given or str(request.source),
            "retrieved": moment,
            "process": request.process,
            "parents": parents,
        },
        "splits": splits,
        "content_hash": checksums.content_hash(sums, kind="dataset"),
    }
    schema = describe(list(tables.values()))
    return about | ({"schema": schema} if schema else {}), splits, sums, sum(sizes.values())


def _total(tables: Sequence[Table]) -> int | None:
    counts = [table.rows for table in tables if table.rows is not None]
    return sum(counts) if len(counts) == len(tables) else None


def _put_in_place(
    repo: Repository, place: Path, name: str, about: dict[str, object], sums: Mapping[str, str]
) -> tuple[Artifact, str]:
    """Number the version, write what names it, and rename; the next number when somebody else was faster."""
    from strata_git.load import dump_yaml

    home = repo.require_worktree() / "datasets" / name
    number = _next_number(repo, name)
    for version in range(number, number + _ATTEMPTS):
        artifact = Artifact("dataset", name, f"v{version}")
        try:
            metadata = dump_yaml(about | {"version": artifact.version})
        except ValueError as error:
            raise StrataError(f"metadata.yaml cannot say that: {printable(str(error))}.") from None
        if len(metadata) > _LIMIT:
            raise StrataError(f"metadata.yaml would have {len(metadata)} bytes, more than {_LIMIT}.")
        listed = checksums.render({**sums, METADATA: checksums.digest(metadata).removeprefix("sha256:")})
        write_file(place / METADATA, metadata)
        write_file(place / CHECKSUMS, listed)
        try:
            home.mkdir(parents=True, exist_ok=True)
            os.rename(place, home / artifact.version)
        except OSError as error:
            if (home / artifact.version).exists():
                continue
            _remove_if_empty(home)
            raise unwritable(home / artifact.version, error) from None
        fsync_dir(home)
        return artifact, checksums.digest(listed)
    raise StrataError(f"The dataset {name} is being added to by others; run the command again.")


def _next_number(repo: Repository, name: str) -> int:
    """One more than any version that HEAD's history, the index or the work tree knows: a name never comes back."""
    directory = f"datasets/{name}"
    known: set[str] = set()
    head = repo.head()
    if head:
        known |= {path.split("/")[2] for path in first_appearances(repo, [head], [directory])}
    staged = repo.git("ls-files", "-z", "--full-name", "--", directory).split(b"\0")[:-1]
    known |= {os.fsdecode(path).split("/")[2] for path in staged if path.count(b"/") > 2}
    home = repo.require_worktree() / directory
    known |= {entry.name for entry in home.iterdir()} if home.is_dir() else set()
    return 1 + max((int(version[1:]) for version in known if VERSION.fullmatch(version)), default=0)


def _remove_if_empty(directory: Path) -> None:
    try:
        directory.rmdir()
    except OSError:
        return


def _cited_parent(repo: Repository, text: str) -> dict[str, str]:
    """A parent, a dataset version or a run, as metadata.yaml cites it: bound to the content it has now."""
    if text.startswith(("run-", "runs/")):
        return _cited_run(repo, text.removeprefix("runs/"))
    try:
        reference = parse_reference(text, kind="dataset")
    except ValueError as error:
        raise UsageError(f"The parent '{printable(text)}' cannot be read: {printable(str(error))}.") from None
    if reference.version is None:
        raise UsageError(f"The parent '{printable(text)}' does not name a version (@v1, @v2, ...).")
    artifact = reference.artifact("dataset")
    try:
        listed = (repo.require_worktree() / artifact.path / CHECKSUMS).read_bytes()
        content_hash = checksums.content_hash(checksums.parse(listed), kind="dataset")
    except (OSError, checksums.ChecksumError):
        raise StrataError(
            f"The parent {artifact.reference} is not here, or has no sound {CHECKSUMS}.",
            hint="git strata list datasets",
        ) from None
    return {"ref": artifact.reference, "digest": checksums.digest(listed), "content_hash": content_hash}


def _cited_run(repo: Repository, text: str) -> dict[str, str]:
    try:
        artifact = parse_reference(text, kind="run").artifact("run")
        listed = (repo.require_worktree() / artifact.path / CHECKSUMS).read_bytes()
        checksums.parse(listed)
    except (ValueError, OSError, checksums.ChecksumError):
        raise StrataError(
            f"The parent {printable(text)} is no run that is here, or has no sound {CHECKSUMS}.",
            hint="git strata list runs",
        ) from None
    return {"ref": artifact.reference, "digest": checksums.digest(listed)}


def _ignored(repo: Repository, artifact: Artifact, sums: Mapping[str, str]) -> bool:
    asked = b"".join(os.fsencode(f"{artifact.path}/{name}") + b"\0" for name in [*sums, METADATA, CHECKSUMS])
    return bool(repo.try_user_git("check-ignore", "-z", "--stdin", input=asked).out)


def _silent(_: int) -> None:
    return None
