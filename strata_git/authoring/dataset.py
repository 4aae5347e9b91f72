"""`dataset add`: files from anywhere become the next version of a dataset (TFC-0004)."""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from strata_git.authoring.tables import Table, describe, read_table
from strata_git.contracts.layout import CHECKSUMS, METADATA, NAME, VERSION, Artifact, parse_reference
from strata_git.errors import StrataError, UsageError, printable
from strata_git.integrity import checksums
from strata_git.integrity.digest import list_files, sha256_directory
from strata_git.repo.command import Repository
from strata_git.repo.files import copy_file, fsync_dir, unwritable, write_file
from strata_git.repo.history import first_appearances

PENDING = ".strata/local/pending"
DEFAULT_SPLIT = "data"
_LIMIT = 1 << 20
_ATTEMPTS = 20

Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class DatasetRequest:
    """What to add: `source` a file or directory, `splits` (name, glob) pairs (none: one split of everything).

    `parents` are references to dataset versions. `header`: the first record of a csv or tsv names its columns.
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


@dataclass(slots=True)
class _Plan:
    """Source paths (relative to `base`) by split."""

    base: Path
    splits: dict[str, list[str]] = field(default_factory=dict)


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
    plan = _plan(request)
    warnings = _overlaps(plan)
    with _pending(root, request.name) as place:
        for split, names in plan.splits.items():
            _copy(plan.base, names, place / split, progress or _silent)
        about, splits, sums, size = _describe(request, plan, place, parents, now or datetime.now(UTC))
        artifact, digest = _put_in_place(repo, place, request.name, about, sums)
    ignored = _ignored(repo, artifact, sums)
    return AddedDataset(artifact, digest, str(about["content_hash"]), splits, len(sums), size, tuple(warnings), ignored)


# -- what to take ------------------------------------------------------------------------------------------------


def _plan(request: DatasetRequest) -> _Plan:
    base, available = _available(request.source)
    if not available:
        raise StrataError(f"{printable(str(request.source))} holds no files.")
    if not request.splits:
        return _checked(_Plan(base, {DEFAULT_SPLIT: available}))
    plan = _Plan(base)
    for split, glob in request.splits:
        if not NAME.fullmatch(split):
            raise UsageError(
                f"'{printable(split)}' cannot name a split.",
                hint="Use lower-case letters and digits, joined by single - or _.",
            )
        matching = _glob(glob)
        taken = [name for name in available if matching.fullmatch(name)]
        if not taken:
            raise StrataError(
                f"Split '{split}': nothing in {printable(str(request.source))} matches '{printable(glob)}'.",
                hint="Patterns are relative to the source; * stays in a directory, ** crosses them, DIR/ takes all.",
            )
        plan.splits[split] = sorted({*plan.splits.get(split, []), *taken}, key=os.fsencode)
    return _checked(plan)


def _available(source: Path) -> tuple[Path, list[str]]:
    try:
        status = os.stat(source)
    except OSError as error:
        raise StrataError(f"{printable(str(source))} cannot be read: {error.strerror}.") from None
    if stat.S_ISDIR(status.st_mode):
        return source, list_files(source)
    if not stat.S_ISREG(status.st_mode):
        raise StrataError(f"{printable(str(source))} is neither a file nor a directory.")
    return source.parent, [source.name]


def _checked(plan: _Plan) -> _Plan:
    """The plan, when every file taken can lie in an artifact."""
    for name in sorted({name for names in plan.splits.values() for name in names}, key=os.fsencode):
        shown = printable(str(plan.base / name))
        problem = checksums.name_problem(name)
        if problem is None and any(part.casefold().startswith(".git") for part in name.split("/")):
            problem = "has a part that begins with '.git', which is Git's own"
        if problem:
            raise StrataError(f"{shown} {problem}.", hint="Rename it, or leave it out with --split NAME=GLOB.")
        if not stat.S_ISREG((plan.base / name).lstat().st_mode):
            raise StrataError(
                f"{shown} is a link or special file; a dataset holds plain files only.",
                hint="Put the file itself in its place, or leave it out with --split NAME=GLOB.",
            )
    for split, names in plan.splits.items():
        if clashes := checksums.collisions(names):
            first, second = clashes[0]
            raise StrataError(
                f"Split '{split}': '{printable(second)}' and '{printable(first)}' are one name on some systems.",
                hint="Rename one of the two.",
            )
    return plan


def _overlaps(plan: _Plan) -> list[str]:
    seen: dict[str, str] = {}
    told: dict[tuple[str, str], tuple[str, int]] = {}
    for split, names in plan.splits.items():
        for name in names:
            first = seen.setdefault(name, split)
            if first != split:
                example, count = told.get((first, split), (name, 0))
                told[first, split] = (example, count + 1)
    return [
        f"Splits '{one}' and '{other}' share {count} files, such as {example}: an evaluation would measure memory."
        for (one, other), (example, count) in told.items()
    ]


def _glob(pattern: str) -> re.Pattern[str]:
    """An expression over relative paths: `*`, `?`, `[..]` within a directory, `**` across them, `DIR/` all in it."""
    parts = pattern.split("/")
    if pattern.startswith("/") or ".." in parts or not pattern:
        raise UsageError(f"The pattern '{printable(pattern)}' leads out of the source.", hint="Give it relative to it.")
    text = "/".join(part for part in parts if part != ".")
    if text.endswith("/") or text == "":
        text += "**"
    return re.compile("".join(_expressed(token) for token in re.findall(r"\*\*/|\*\*|\*|\?|\[[^]/]+\]|.", text, re.S)))


def _expressed(token: str) -> str:
    fixed = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    if token in fixed:
        return fixed[token]
    if len(token) > 2:
        inner = token[1:-1].replace("\\", "\\\\").replace("[", "\\[")
        return f"[^{inner[1:]}]" if inner[0] in "!^" and len(inner) > 1 else f"[{inner}]"
    return re.escape(token)


# -- making the version -------------------------------------------------------------------------------------------


@contextmanager
def _pending(root: Path, name: str) -> Iterator[Path]:
    """A directory of our own that Git ignores and that is gone afterwards, whatever happens."""
    place = root / PENDING / f"dataset-{name}-{os.getpid()}"
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
    request: DatasetRequest, plan: _Plan, place: Path, parents: list[dict[str, str]], now: datetime
) -> tuple[dict[str, object], dict[str, dict[str, object]], dict[str, str], int]:
    hashed = sha256_directory(place)
    sums = {name: hex_ for name, hex_, _ in hashed}
    sizes = {name: size for name, _, size in hashed}
    tables = {name: read_table(place / name, header=request.header) for name in sums}
    splits: dict[str, dict[str, object]] = {}
    for split, names in plan.splits.items():
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
        known |= {path.split("/")[2] for path in first_appearances(repo, head, [directory])}
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
    """A parent as metadata.yaml cites it: bound to the content it has now."""
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


def _ignored(repo: Repository, artifact: Artifact, sums: Mapping[str, str]) -> bool:
    asked = b"".join(os.fsencode(f"{artifact.path}/{name}") + b"\0" for name in [*sums, METADATA, CHECKSUMS])
    return bool(repo.try_user_git("check-ignore", "-z", "--stdin", input=asked).out)


def _silent(_: int) -> None:
    return None
