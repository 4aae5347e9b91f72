"""`diff`: two artifacts read and compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from strata_git.errors import StrataError
from strata_git.index.contents import read_bytes, read_contents, read_documents
from strata_git.index.difference import Difference, Fact, TensorChanges, difference, run_facts
from strata_git.index.measures import Measure, measures_of
from strata_git.index.opened import Contents
from strata_git.index.records import ArtifactRecord, FileRecord, Index
from strata_git.index.select import select_anywhere
from strata_git.integrity.tensors import READABLE, NoTensors, TensorFile, tensors_of
from strata_git.repo.command import Repository
from strata_git.repo.history import list_commits, read_commits

_COMMITS = 50


def differ(repo: Repository, index: Index, before: str, after: str) -> Difference:
    """What differs between the artifacts that two references mean.

    Raises StrataError when they are of different kinds, or either is not there.
    """
    old, new = select_anywhere(index, before), select_anywhere(index, after)
    if old.artifact.kind != new.artifact.kind:
        raise StrataError(
            f"{old.reference} and {new.reference} are of different kinds, so nothing can be compared.",
            hint="git strata compare    puts metrics of runs and models side by side",
        )
    sides = read_contents(repo, old), read_contents(repo, new)
    found = difference(*sides, (read_measures(repo, index, old), read_measures(repo, index, new)))
    code = [_code(index, one) for one in (old, new)]
    facts = (*found.facts, *_of_runs(repo, index, old, new))
    return replace(
        found, facts=facts, tensors=tuple(_tensors(repo, found, *sides)), commits=tuple(_between(repo, *code))
    )


def read_measures(repo: Repository, index: Index, record: ArtifactRecord) -> dict[str, Measure]:
    """The metrics of a version, with the directions that its metrics.yaml declares.

    A run declares none: those of the models made from it are taken.
    """
    said: object = {}
    if record.artifact.kind == "model":
        said = read_documents(repo, record, ["metrics.yaml"]).get("metrics.yaml", {})
    elif record.artifact.kind == "run":
        models = [one for one in index.citing(record.reference) if one.artifact.kind == "model"]
        said = _declared(repo, models[0]) if models else {}
    return measures_of(record.metrics, said)


def _declared(repo: Repository, model: ArtifactRecord) -> object:
    """Directions and tolerances of a model's metrics, without its figures."""
    from strata_git.checks.plain import dig, mapping

    said = mapping(dig(read_documents(repo, model, ["metrics.yaml"]).get("metrics.yaml"), "metrics"))
    wanted = ("direction", "tolerance")
    return {"metrics": {name: {key: dig(one, key) for key in wanted} for name, one in said.items()}}


def _of_runs(repo: Repository, index: Index, before: ArtifactRecord, after: ArtifactRecord) -> Iterator[Fact]:
    """How the runs that made two models differ, where both are known."""
    runs = [_run_of(index, model) for model in (before, after)]
    if runs[0] is not None and runs[1] is not None and runs[0].reference != runs[1].reference:
        yield from run_facts(read_contents(repo, runs[0]), read_contents(repo, runs[1]))


def _run_of(index: Index, model: ArtifactRecord) -> ArtifactRecord | None:
    """The run that a model names, here or elsewhere; None where nothing or too much goes by that name."""
    if model.artifact.kind != "model" or not model.run:
        return None
    there = [one for one in index.elsewhere if one.reference == model.run] if index.get(model.run) is None else []
    return index.get(model.run) or (there[0] if len(there) == 1 else None)


def _code(index: Index, record: ArtifactRecord) -> str:
    """The commit whose code made it: a run's own, a model's by its run."""
    run = _run_of(index, record) if record.artifact.kind == "model" else record
    return run.code.commit if run is not None and run.code is not None else ""


def _between(repo: Repository, before: str, after: str) -> Iterator[str]:
    """Commits from one code commit to the other, newest last; none where they are not both here."""
    if not before or not after or before == after:
        return
    ends = [repo.resolve(oid) for oid in (before, after)]
    if ends[0] is None or ends[1] is None:
        return
    oids = list_commits(repo, ends[1], f"^{ends[0]}")
    for commit in read_commits(repo, oids[:_COMMITS]):
        yield f"{commit.oid[:12]} {commit.subject}"
    if len(oids) > _COMMITS:
        yield f"... and {len(oids) - _COMMITS} more"


def _tensors(repo: Repository, found: Difference, before: Contents, after: Contents) -> Iterator[TensorChanges]:
    """What changed inside those changed files whose tensors can be told apart."""
    if found.kind not in ("model", "run"):
        return
    for change in found.files.changed:
        name = change.after.name
        if name.rpartition(".")[2].lower() in READABLE:
            yield _changes(repo, name, (before.record, change.before), (after.record, change.after))


def _changes(
    repo: Repository, name: str, before: tuple[ArtifactRecord, FileRecord], after: tuple[ArtifactRecord, FileRecord]
) -> TensorChanges:
    opened: list[TensorFile] = []
    for record, file in (before, after):
        data = read_bytes(repo, record, file)
        if data is None:
            why = "only a pointer is here" if file.stored == "pointer" else "its bytes are not here"
            pull = f" (git lfs pull --include {record.artifact.path}/{name})" if file.stored == "pointer" else ""
            return TensorChanges(name, problem=f"{why} of {record.reference}{pull}")
        try:
            opened.append(tensors_of(name, data))
        except NoTensors as error:
            return TensorChanges(name, problem=f"in {record.reference} it {error}")
    return tensor_changes(name, *opened)


def tensor_changes(name: str, before: TensorFile, after: TensorFile) -> TensorChanges:
    """Which tensors of two files differ: in content (`changed`), or in type or shape (`reshaped`)."""
    old, new = before.tensors, after.tensors
    both = old.keys() & new.keys()
    reshaped = {key for key in both if (old[key].type, old[key].shape) != (new[key].type, new[key].shape)}
    changed = {key for key in both - reshaped if old[key].sha256 != new[key].sha256}
    return TensorChanges(
        name,
        tuple(sorted(new.keys() - old.keys())),
        tuple(sorted(old.keys() - new.keys())),
        tuple(sorted(changed)),
        tuple(sorted(reshaped)),
        len(both) - len(reshaped) - len(changed),
        before.rest != after.rest,
    )
