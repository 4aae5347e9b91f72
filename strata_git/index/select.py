"""Which artifact of an index somebody means by a reference. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from strata_git.contracts.layout import KINDS, Reference, parse_reference
from strata_git.errors import StrataError, printable
from strata_git.index.records import ArtifactRecord, Index

_SHOWN = 8


def select(index: Index, text: str) -> ArtifactRecord:
    """The one artifact that `text` means: `iris@v1`, `models/forest@v2`, `forest@production`, a run's id, a path.

    A bare name means its only version. Raises StrataError where nothing, or more than one thing, is meant, with what
    comes near and what to type instead.
    """
    try:
        reference = parse_reference(text)
    except ValueError as error:
        raise StrataError(
            f"'{printable(text)}' is no reference: {printable(str(error))}.", hint=_near(index, text)
        ) from None
    fitting = [record for record in index.named(reference.name) if _fits(record, reference)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise StrataError(
            f"'{printable(text)}' is ambiguous: {_told(fitting)}.", hint="Say which one, with its kind and version."
        )
    raise _nothing(index, text, reference)


def select_anywhere(index: Index, text: str) -> ArtifactRecord:
    """As `select`; what the revision lacks is looked for on other branches and in what was removed.

    Raises StrataError where that has several contents under the one name, too.
    """
    try:
        return select(index, text)
    except StrataError:
        try:
            reference = parse_reference(text)
        except ValueError:
            reference = None
        if reference is None or any(_fits(record, reference) for record in index.named(reference.name)):
            raise  # what is meant is here, and more than one thing
        fitting = [record for record in index.elsewhere if _fits(record, reference)]
        if len(fitting) == 1:
            return fitting[0]
        if fitting and len({record.reference for record in fitting}) == 1:
            commits = ", ".join(one.introduced.commit[:12] for one in fitting if one.introduced)
            raise StrataError(
                f"{fitting[0].reference} has {len(fitting)} contents, none of them in this revision.",
                hint=f"Say at which revision, with --at: {commits}",
            ) from None
        raise


def records_of(index: Index, kind: str) -> tuple[ArtifactRecord, ...]:
    """All artifacts of a kind (`dataset`, `run`, ...), in order."""
    return tuple(record for record in index.artifacts if record.artifact.kind == kind)


def _fits(record: ArtifactRecord, reference: Reference) -> bool:
    artifact = record.artifact
    if artifact.name != reference.name or reference.kind not in (None, artifact.kind):
        return False
    if reference.stage is not None:
        return reference.stage in record.stages
    return reference.version in (None, artifact.version)


def _nothing(index: Index, text: str, reference: Reference) -> StrataError:
    shown = printable(text)
    at = f" at {index.revision[:12]}" if index.revision else ""
    if reference.stage is not None:
        away = [event for event in index.events if event.current and event.stage == reference.stage]
        elsewhere = next((event for event in away if event.model.name == reference.name), None)
        if elsewhere is not None:
            return StrataError(
                f"{elsewhere.model.reference} is in {reference.stage}, but is not in the tree{at}.",
                hint=f"git strata show {elsewhere.model.reference} --at {elsewhere.commit}",
            )
        if any(record.artifact.name == reference.name for record in index.artifacts):
            return StrataError(
                f"No version of {reference.name} is in {reference.stage}.", hint="git strata stages    shows what is"
            )
    for gone in index.removed:
        artifact = gone.artifact
        named = (artifact.name, artifact.version) == (reference.name, reference.version or "")
        if named and reference.kind in (None, artifact.kind):
            where = f" --at {gone.introduced.commit}" if gone.introduced else ""
            return StrataError(
                f"{artifact.reference} was removed; its content is still in the history.",
                hint=f"git strata show {artifact.reference}{where}" if where else "git log --all -- " + artifact.path,
            )
    return StrataError(f"There is no {shown}{at}.", hint=_near(index, text))


def _near(index: Index, text: str) -> str:
    """A hint with the references most like `text`; with the lists' names when none is."""
    spelled: dict[str, list[str]] = {}
    for record in index.artifacts:
        for name in {record.reference, record.artifact.short, record.artifact.name}:
            spelled.setdefault(name, []).append(record.reference)
    near: dict[str, None] = {}
    for wanted in (text.lower(), text.lower().partition("@")[0]):
        for name in get_close_matches(wanted, spelled, n=_SHOWN, cutoff=0.7):
            near.update(dict.fromkeys(spelled[name]))
    if near:
        return "Near it: " + ", ".join(list(near)[:_SHOWN])
    return f"git strata list {'|'.join(KINDS)}    shows what there is"


def _told(records: Sequence[ArtifactRecord]) -> str:
    named = [record.reference for record in records]
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    return ", ".join(named[:_SHOWN]) + more
