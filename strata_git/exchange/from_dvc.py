"""`import dvc`: what DVC tracks becomes a dataset version. Its MD5 is checked once, then our SHA-256 stands.

A `.dvc` file names its outputs itself; for a stage of dvc.yaml the digests stand in dvc.lock. Bytes come from DVC's
cache or, where it lacks them, from the work tree. Nothing is asked of a remote. Source: https://dvc.org/doc/user-guide
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from strata_git.authoring.dataset import AddedDataset, DatasetRequest, Progress, add_dataset, pending
from strata_git.checks.plain import dig, items, mapping, text
from strata_git.errors import StrataError, UsageError, printable
from strata_git.exchange.staging import below
from strata_git.load import Unloadable, load_json, load_yaml
from strata_git.repo.command import Repository
from strata_git.repo.files import copy_file

_MD5 = re.compile(r"([0-9a-f]{32})(\.dir)?")
_LIMIT = 64 << 20
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class DvcImport:
    """What to import: `pointer` a .dvc file or dvc.yaml, `out` which of its outputs (may be `""` where it has one).

    `cache` is DVC's cache (None: `.dvc/cache` beside the pointer or above it). The rest is as in `DatasetRequest`.
    """

    pointer: Path
    name: str
    out: str = ""
    cache: Path | None = None
    splits: tuple[tuple[str, str], ...] = ()
    description: str = ""
    licence: str = "NOASSERTION"


@dataclass(frozen=True, slots=True)
class _Out:
    """An output: its path from `home`, MD5 of a file or of a directory's list, and whether line ends were evened."""

    home: Path
    path: str
    md5: str
    listed: bool
    evened: bool


def import_dvc(repo: Repository, wanted: DvcImport, *, progress: Progress | None = None) -> AddedDataset:
    """Make the next version of a dataset from it. StrataError, and nothing left, where anything is amiss."""
    pointer = wanted.pointer.absolute()
    root = _dvc_root(pointer)
    out = _chosen(_outs(pointer), wanted.out, pointer)
    caches = [wanted.cache] if wanted.cache else [root / ".dvc" / "cache"]
    with pending(repo.require_worktree(), "import-dvc") as place:
        for name, md5 in _files(out, caches, pointer):
            _fetch(out, name, md5, caches, place)
        request = DatasetRequest(
            source=place,
            name=wanted.name,
            splits=wanted.splits,
            given=f"dvc:{pointer.relative_to(root).as_posix()}{_revision(repo, root)} ({out.path})",
            description=wanted.description,
            licence=wanted.licence,
            process=f"imported from DVC, md5 {out.md5}{'.dir' if out.listed else ''} checked",
        )
        return add_dataset(repo, request, progress=progress)


def _dvc_root(pointer: Path) -> Path:
    for folder in pointer.parents:
        if (folder / ".dvc").is_dir():
            return folder
    return pointer.parent


def _revision(repo: Repository, root: Path) -> str:
    """`@` and the commit that the DVC repository stands on; nothing where it is in none."""
    try:
        other = Repository.discover(root, repo.environ)
    except StrataError:
        return ""
    try:
        head = other.head()
    finally:
        other.close()
    return f"@{head}" if head else ""


# -- pointers --------------------------------------------------------------------------------------------------------


def _outs(pointer: Path) -> list[_Out]:
    """Every output that the pointer, or the lock beside it, tells of."""
    if pointer.name == "dvc.yaml":
        said = _loaded(pointer.with_name("dvc.lock"))
        stages = mapping(said.get("stages"))
        found = [(item, "") for stage in stages.values() for item in items(dig(stage, "outs"))]
    elif pointer.suffix == ".dvc":
        said = _loaded(pointer)
        found = [(item, text(said.get("wdir")) or "") for item in items(said.get("outs"))]
    else:
        raise UsageError(f"{printable(pointer.name)} is neither a .dvc file nor a dvc.yaml.")
    outs = [_out(pointer, item, folder) for item, folder in found]
    if not outs:
        raise StrataError(f"{printable(str(pointer))} names no output.", hint="Commit it in DVC first: dvc commit")
    return outs


def _loaded(path: Path) -> Mapping[str, object]:
    try:
        if path.stat().st_size > _LIMIT:
            raise StrataError(f"{printable(str(path))} has more than {_LIMIT >> 20} MiB.")
        return mapping(load_yaml(path.read_bytes()).value)
    except OSError as error:
        raise StrataError(f"{printable(str(path))} cannot be read: {error.strerror}.") from None
    except Unloadable as error:
        where = f":{error.line}" if error.line else ""
        raise StrataError(f"{printable(str(path))}{where}: {error.message}.") from None


def _out(pointer: Path, item: object, folder: str) -> _Out:
    path, said = text(dig(item, "path")), text(dig(item, "md5")) or ""
    match = _MD5.fullmatch(said)
    if path is None:
        raise StrataError(f"{printable(str(pointer))}: an output has no path.")
    if match is None:
        raise StrataError(
            f"{printable(str(pointer))}: '{printable(path)}' has no md5.",
            hint="Outputs in a cloud are not in DVC's cache: dvc get them, then git strata dataset add.",
        )
    home = below(pointer.parent, folder, printable(pointer.name)) if folder else pointer.parent
    below(home, path, printable(pointer.name))
    return _Out(home, path, match[1], bool(match[2]), evened=text(dig(item, "hash")) is None)


def _chosen(outs: Sequence[_Out], wanted: str, pointer: Path) -> _Out:
    fitting = [out for out in outs if wanted in ("", out.path)]
    if len(fitting) == 1:
        return fitting[0]
    listed = ", ".join(printable(out.path) for out in outs[:8])
    what = f"no output '{printable(wanted)}'" if wanted else f"{len(outs)} outputs"
    raise StrataError(f"{printable(str(pointer))} names {what}.", hint=f"Choose one with --out: {listed}")


# -- bytes -----------------------------------------------------------------------------------------------------------


def _files(out: _Out, caches: Sequence[Path], pointer: Path) -> Iterator[tuple[str, str]]:
    """Name below the output (`""`: the output itself) and MD5 of every file."""
    if not out.listed:
        yield "", out.md5
        return
    listed = next((place for place in _cached(caches, f"{out.md5}.dir") if place.is_file()), None)
    if listed is None:
        raise StrataError(
            f"The list of the files in '{printable(out.path)}' is not in DVC's cache.",
            hint="dvc fetch, or name the cache with --cache DIR",
        )
    data = _read(listed)
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != out.md5:
        raise StrataError(f"{printable(str(listed))} does not have the md5 it is stored under.", hint="dvc fetch")
    try:
        rows = items(load_json(data, limit=_LIMIT).value)
    except Unloadable as error:
        raise StrataError(f"{printable(str(listed))}: {error.message}.") from None
    for row in rows:
        name, md5 = text(dig(row, "relpath")), text(dig(row, "md5"))
        if name is None or md5 is None or not re.fullmatch("[0-9a-f]{32}", md5):
            raise StrataError(f"{printable(str(listed))}: an entry has no relpath or no md5.")
        below(Path("/nowhere"), name, printable(pointer.name))
        yield name, md5


def _read(path: Path) -> bytes:
    with path.open("rb") as stream:
        data = stream.read(_LIMIT + 1)
    if len(data) > _LIMIT:
        raise StrataError(f"{printable(str(path))} has more than {_LIMIT >> 20} MiB.")
    return data


def _cached(caches: Sequence[Path], md5: str) -> list[Path]:
    """Where DVC 3, and where DVC 2 kept it."""
    return [cache / part / md5[:2] / md5[2:] for cache in caches for part in ("files/md5", "")]


def _fetch(out: _Out, name: str, md5: str, caches: Sequence[Path], place: Path) -> None:
    """Copy one file, from wherever it is found with the right MD5."""
    full = f"{out.path}/{name}" if name else out.path
    target = below(place, name or out.path.rpartition("/")[2], "DVC")
    target.parent.mkdir(parents=True, exist_ok=True)
    sources = [path for path in _cached(caches, md5) if path.is_file() and not path.is_symlink()]
    wrong = ""
    for source in [*sources, out.home / full]:
        if source not in sources:
            below(out.home, full, "DVC")
        if not source.is_file():
            continue
        copy_file(source, target)
        if md5 in _md5s(target, evened=out.evened):
            return
        target.unlink()
        wrong = str(source)
    if wrong:
        raise StrataError(
            f"{printable(wrong)} does not have the md5 {md5} that DVC recorded.", hint="dvc status, dvc checkout"
        )
    raise StrataError(
        f"'{printable(full)}' is neither in DVC's cache nor in its work tree.",
        hint="dvc pull, or name the cache with --cache DIR",
    )


def _md5s(path: Path, *, evened: bool) -> set[str]:
    """The MD5 of a file; where DVC evened the line ends of text before (versions before 3), that one too."""
    raw, even = hashlib.md5(usedforsecurity=False), hashlib.md5(usedforsecurity=False)
    held = b""
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            raw.update(piece)
            if evened:
                piece = held + piece
                held = b"\r" if piece.endswith(b"\r") else b""
                even.update(piece.removesuffix(b"\r").replace(b"\r\n", b"\n"))
    even.update(held)
    return {raw.hexdigest(), even.hexdigest()} if evened else {raw.hexdigest()}
