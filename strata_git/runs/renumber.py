"""Giving a run that is not published another number, when two clones took the same one (TFC-0002 3.4)."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from strata_git.contracts.layout import CHECKSUMS, RUN_ID, RUN_RECORD, SIGNATURE
from strata_git.errors import StrataError, UsageError, printable
from strata_git.repo.command import Repository
from strata_git.repo.refs import Transaction, read_ref
from strata_git.runs import record
from strata_git.runs.dirty import KEPT
from strata_git.runs.reserve import PENDING, publish, reserve


@dataclass(frozen=True, slots=True)
class Renumbered:
    """What became of a run: its id before and now, and the commit that has it under the old one ("": none has)."""

    old: str
    new: str
    digest: str
    introduced: str = ""


def renumber(repo: Repository, run: str, cited: Mapping[str, Sequence[str]]) -> Renumbered:
    """Give `run`, as it lies in the work tree, the next free number of its day.

    Its record, its checksums and the reference of its kept work tree follow; what it computed stays as it is. Raises
    StrataError for a run that is published, signed, named by something else, or not whole.
    """
    place = _place(repo, run)
    if where := _published(repo, run):
        raise StrataError(
            f"{run} is published: {where} has it, and what is published never changes.",
            hint="Renumber the run of the clone that has not pushed yet.",
        )
    if places := cited.get(run):
        raise StrataError(
            f"{run} is named by {printable(places[0])}, which would then name another run.",
            hint="Make the model or the record that names it anew, from the renumbered run; or remove it first.",
        )
    if (place / SIGNATURE).exists():
        raise StrataError(
            f"{run} is signed; under another number the signature would be none.",
            hint=f"Remove runs/{run}/{SIGNATURE}, renumber, and sign again.",
        )
    facts = _facts(place, run)
    introduced = _introduced(repo, run)
    reserved = reserve(repo, datetime.strptime(run[4:14], "%Y-%m-%d").replace(tzinfo=UTC))
    try:
        digest = _written(place, reserved.record, facts, run, reserved.id)
        publish(reserved, repo.require_worktree())
    finally:
        reserved.release()
    _move_kept(repo, run, reserved.id)
    gone = repo.require_worktree() / PENDING / f".gone-{run}"
    os.rename(place, gone)
    shutil.rmtree(gone, ignore_errors=True)
    return Renumbered(run, reserved.id, digest, introduced)


def _place(repo: Repository, run: str) -> Path:
    if not RUN_ID.fullmatch(run):
        raise UsageError(f"'{printable(run)}' is not a run.", hint="Name one such as run-2026-11-21-001.")
    place = repo.require_worktree() / "runs" / run
    if place.is_symlink() or not place.is_dir():
        raise StrataError(f"There is no runs/{run} in the work tree.", hint="git strata list runs")
    return place


def _published(repo: Repository, run: str) -> str:
    """A remote's branch that has the same record under this id; "" where none has. Another record is the reason to
    renumber, and no hindrance."""
    own = _sums(repo, "HEAD", run)
    place = repo.require_worktree() / "runs" / run / CHECKSUMS
    data = place.read_bytes() if place.is_file() else b""
    from strata_git.repo.tree import blob_oid

    ours = {own, blob_oid(data, repo.object_format)} - {None}
    for line in repo.git("for-each-ref", "--format=%(refname)", "refs/remotes/").splitlines():
        reference = os.fsdecode(line)
        if _sums(repo, reference, run) in ours:
            return reference.removeprefix("refs/remotes/")
    return ""


def _sums(repo: Repository, revision: str, run: str) -> str | None:
    ((_, found),) = repo.objects.lookup([f"{revision}:runs/{run}/{CHECKSUMS}"])
    return found[0] if found is not None else None


def _introduced(repo: Repository, run: str) -> str:
    from strata_git.repo.history import first_appearances

    head = repo.head()
    path = f"runs/{run}/{RUN_RECORD}"
    return first_appearances(repo, [head], [path]).get(path, "") if head else ""


def _facts(place: Path, run: str) -> dict[str, object]:
    """run.yaml's content, of a record whose files are what its list says."""
    from strata_git.integrity import checksums
    from strata_git.integrity.digest import sha256_directory
    from strata_git.load import Unloadable, load_yaml

    try:
        listed = checksums.parse((place / CHECKSUMS).read_bytes())
        facts = load_yaml((place / RUN_RECORD).read_bytes()).value
    except (OSError, Unloadable, checksums.ChecksumError) as error:
        raise StrataError(f"runs/{run} cannot be read: {printable(str(error))}.") from None
    there = {path: sha256 for path, sha256, _ in sha256_directory(place, skip=checksums.EXCLUDED)}
    if there != listed or not isinstance(facts, dict) or facts.get("id") != run:
        raise StrataError(f"runs/{run} is not what its {CHECKSUMS} says.", hint=f"git strata doctor runs/{run}")
    return facts


def _written(source: Path, target: Path, facts: Mapping[str, object], old: str, new: str) -> str:
    from strata_git.integrity.digest import list_files
    from strata_git.load import dump_yaml
    from strata_git.repo.files import copy_file, write_file

    for name in list_files(source):
        if name not in (RUN_RECORD, CHECKSUMS):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            copy_file(source / name, target / name)
    with open(target / record.LOGS, "ab") as log:
        log.write(f"{record.stamp(datetime.now(UTC))} run {old} was given another number: {new}\n".encode())
    write_file(target / RUN_RECORD, dump_yaml({**facts, "id": new}))
    return record.seal(target)


def _move_kept(repo: Repository, old: str, new: str) -> None:
    kept = read_ref(repo, KEPT + old)
    if kept is None:
        return
    transaction = Transaction(repo)
    transaction.create(KEPT + new, kept)
    transaction.delete(KEPT + old, kept)
    transaction.commit("git-strata runs renumber")
