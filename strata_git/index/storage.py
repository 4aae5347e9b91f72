"""How much the versions take, what they share, what Git LFS keeps of it, and what nobody in use needs. Pure.

An object counts once however many versions hold it. A version is *unused* when it is an archived model, or when it is
gone from every branch, unless it is in staging or production or a service names it; and so is a run all of whose models
are unused. What only unused versions hold may go from where Git LFS objects are kept; nothing is deleted here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from strata_git.checks.lfs import STORED, TEXT
from strata_git.contracts.layout import ADDABLE
from strata_git.index.export import Plain, encodable
from strata_git.index.impact import Key, key_of
from strata_git.index.opened import Held, Stored
from strata_git.index.records import ArtifactRecord

SCHEMA = "strata/storage/v1"


@dataclass(frozen=True, slots=True)
class Usage:
    """What a version, a name or all of them take, in bytes. `total` counts each object once, `own` are those that
    nothing outside holds, `lfs` is kept by Git LFS, `absent` is not in this clone, `raw` lies in Git itself where Git
    LFS should keep it (`raw_files` files)."""

    name: str
    versions: int
    files: int
    total: int
    own: int
    lfs: int
    absent: int
    raw: int
    raw_files: int

    @property
    def shared(self) -> int:
        """Bytes that others hold, too."""
        return self.total - self.own


@dataclass(frozen=True, slots=True)
class Storage:
    """Usage by version and by name, largest first, and over all; `listed` are the bytes there would be were nothing
    shared, `prunable` the Git LFS objects that only unused versions need, with who they are. `unknown` objects are not
    in this clone, nor is their size."""

    versions: tuple[Usage, ...]
    names: tuple[Usage, ...]
    everything: Usage
    listed: int
    disk: int
    prunable: tuple[tuple[Stored, tuple[str, ...]], ...]
    raw: tuple[str, ...]
    lfs: bool
    unknown: int = 0


def storage(
    records: Sequence[ArtifactRecord], holdings: Mapping[str, Sequence[Held]], unused: Collection[Key], *, lfs: bool
) -> Storage:
    """Add up. `holdings` maps tree ids to files, `unused` names the versions nobody uses, `lfs` whether the workspace
    wants payload in Git LFS."""
    holders: dict[Stored, set[Key]] = {}
    for record in records:
        for held in holdings.get(record.tree, ()):
            holders.setdefault(held.object, set()).add(key_of(record))
    names: dict[str, list[ArtifactRecord]] = {}
    for record in records:
        names.setdefault(_name(record), []).append(record)

    def usage(name: str, group: Sequence[ArtifactRecord]) -> Usage:
        return _usage(name, group, holdings, holders, lfs=lfs)

    versions = [usage(record.reference, [record]) for record in records]
    kept = [held.object for record in records for held in holdings.get(record.tree, ())]
    return Storage(
        _sorted(versions),
        _sorted([usage(name, group) for name, group in names.items()]),
        usage("", records),
        sum(one.size for one in kept),
        sum(one.disk for one in set(kept)),
        tuple(_prunable(holders, unused)),
        tuple(sorted({f"{r.artifact.path}/{h.name}" for r in records for h in holdings.get(r.tree, ())
                      if lfs and _is_raw(r, h)})),
        lfs,
        sum(one.store == "git" and not one.here for one in set(kept)),
    )  # fmt: skip


def of_kind(found: Storage, root: str) -> Storage:
    """The same with only the versions and names of one kind (`models`, `runs`, ...); the sums stay those of all."""
    kept = [
        tuple(
            one for one in usages if one.name.startswith("run-" if root == "runs" else f"{root}/") or one.name == root
        )
        for usages in (found.versions, found.names)
    ]
    return replace(found, versions=kept[0], names=kept[1])


def unused_versions(
    records: Iterable[ArtifactRecord], stage: Callable[[ArtifactRecord], str], present: Collection[Key]
) -> set[Key]:
    """The versions that nobody uses; `present` are those that some branch still has."""
    listed = list(records)
    served = {cited.reference for one in listed if one.artifact.kind == "service" for cited in one.inputs}
    kept = {key_of(one) for one in listed if one.reference in served or stage(one) in ("staging", "production")}
    gone = {key_of(one) for one in listed if key_of(one) not in present}
    archived = {key_of(one) for one in listed if one.artifact.kind == "model" and stage(one) == "archived"}
    unused = (gone | archived) - kept
    made: dict[str, list[Key]] = {}
    for one in listed:
        if one.run:
            made.setdefault(one.run, []).append(key_of(one))
    runs = [one for one in listed if one.artifact.kind == "run" and one.reference in made]
    return unused | {key_of(run) for run in runs if all(model in unused for model in made[run.reference])}


def _usage(
    name: str, group: Sequence[ArtifactRecord], holdings: Mapping[str, Sequence[Held]],
    holders: Mapping[Stored, set[Key]], *, lfs: bool,
) -> Usage:  # fmt: skip
    mine = {key_of(record) for record in group}
    held = [(record, one) for record in group for one in holdings.get(record.tree, ())]
    objects = {one.object for _, one in held}
    raw = {one.object for record, one in held if lfs and _is_raw(record, one)}
    return Usage(
        name,
        len(mine),
        len(held),
        sum(one.size for one in objects),
        sum(one.size for one in objects if holders[one] <= mine),
        sum(one.size for one in objects if one.store == "lfs"),
        sum(one.size for one in objects if not one.here),
        sum(one.size for one in raw),
        len(raw),
    )


def _prunable(holders: Mapping[Stored, set[Key]], unused: Collection[Key]) -> list[tuple[Stored, tuple[str, ...]]]:
    found = [
        (one, tuple(sorted({reference for reference, _ in who})))
        for one, who in holders.items()
        if one.store == "lfs" and who <= set(unused)
    ]
    return sorted(found, key=lambda row: (-row[0].size, row[0].id))


def _is_raw(record: ArtifactRecord, held: Held) -> bool:
    """Whether Git holds what Git LFS should: payload of a kind that goes there, and no text of a contract."""
    payload = record.artifact.kind in STORED and held.name not in ADDABLE and not held.name.endswith(TEXT)
    return payload and held.object.store == "git" and held.object.size > 0


def _sorted(usages: Iterable[Usage]) -> tuple[Usage, ...]:
    return tuple(sorted(usages, key=lambda one: (-one.total, one.name)))


def _name(record: ArtifactRecord) -> str:
    artifact = record.artifact
    return "runs" if artifact.kind == "run" else artifact.path.rpartition("/")[0] if artifact.version else artifact.path


# -- told ------------------------------------------------------------------------------------------------------------


def storage_rows(usages: Sequence[Usage], *, versions: bool) -> tuple[list[tuple[str, ...]], tuple[str, ...]]:
    """Rows and head of a table."""
    rows = [
        (one.name, *(() if versions else (f"{one.versions:,}",)), f"{one.files:,}", f"{one.total:,}", f"{one.own:,}",
         f"{one.lfs:,}", f"{one.absent:,}")
        for one in usages
    ]  # fmt: skip
    return rows, (
        "VERSION" if versions else "NAME", *(() if versions else ("VERSIONS",)), "FILES", "BYTES", "OWN", "LFS",
        "NOT HERE",
    )  # fmt: skip


def storage_text(found: Storage) -> str:
    """The sums, and what can be done about them."""
    whole = found.everything
    saved = found.listed - whole.total
    share = f", {saved * 100 // found.listed}% saved by sharing" if found.listed else ""
    lines = [
        f"{whole.versions:,} versions hold {found.listed:,} bytes in {whole.files:,} files",
        f"  each object once: {whole.total:,} bytes{share}",
        f"  Git LFS keeps {whole.lfs:,} of them, Git {whole.total - whole.lfs:,}",
        f"  {whole.absent:,} are not in this clone, the rest takes {found.disk:,} on the disk",
    ]
    if found.unknown:
        lines.append(f"  {found.unknown:,} objects of unknown size are not in this clone either")
    if found.prunable:
        size = sum(one.size for one, _ in found.prunable)
        lines += [
            "",
            f"{len(found.prunable)} Git LFS objects ({size:,} bytes) that only archived or removed versions need:",
        ]
        lines += [f"  {one.id}  {one.size:,} bytes{_missing(one)}  {_who(who)}" for one, who in found.prunable[:20]]
        lines += _more(len(found.prunable) - 20)
    if found.raw:
        lines += ["", f"{len(found.raw)} files ({whole.raw:,} bytes) that Git LFS should keep and Git does:"]
        lines += [f"  {path}" for path in found.raw[:20]]
        lines += _more(len(found.raw) - 20)
    return "\n".join(lines)


def storage_document(found: Storage, revision: str) -> Plain:
    """Storage for programs (schema strata/storage/v1)."""
    return encodable({
        "schema": SCHEMA,
        "revision": revision or None,
        "lfs": found.lfs,
        "total": _plain(found.everything) | {"listed": found.listed, "disk": found.disk},
        "names": [_plain(one) for one in found.names],
        "versions": [_plain(one) for one in found.versions],
        "prunable": [
            {"sha256": one.id, "bytes": one.size, "here": one.here, "needed_by": list(who)}
            for one, who in found.prunable
        ],
        "raw": list(found.raw),
        "unknown": found.unknown,
    })  # fmt: skip


def _plain(one: Usage) -> Plain:
    return {
        "name": one.name or None, "versions": one.versions, "files": one.files, "bytes": one.total, "own": one.own,
        "shared": one.shared, "lfs": one.lfs, "absent": one.absent, "raw": one.raw, "raw_files": one.raw_files,
    }  # fmt: skip


def _missing(one: Stored) -> str:
    return "" if one.here else " (not here)"


def _who(who: Sequence[str]) -> str:
    return ", ".join(who[:3]) + (f" and {len(who) - 3} more" if len(who) > 3 else "")


def _more(rest: int) -> list[str]:
    return [f"  ... and {rest} more"] if rest > 0 else []
