"""Events and approvals of a repository, all read in a few sweeps. What is written is in `writing` and `noting`."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from strata_git.integrity.signer import SignatureVerdict
from strata_git.ledger.approval import APPROVALS, Approval, misplaced, parse_approval, vouches
from strata_git.ledger.event import Event, Evidence
from strata_git.ledger.evidence import gather
from strata_git.ledger.governed import governed, keys_for, transitions_of
from strata_git.ledger.names import TAGS, EventName, likeness, parse_name
from strata_git.ledger.record import (
    TAG_LIMIT,
    Record,
    RecordError,
    TagError,
    TagObject,
    parse_message,
    parse_tag,
    split_message,
)  # fmt: skip
from strata_git.ledger.seen import Seen, read_seen
from strata_git.ledger.signing import UserKeys, Verifier, verify_tags
from strata_git.ledger.state import LedgerState, ModelState, fold
from strata_git.ledger.trust import Trust, not_lowered, read_trust
from strata_git.repo.command import Repository

if TYPE_CHECKING:
    from strata_git.integrity.policy import Vouch
    from strata_git.ledger.moves import Step

HEADS = "refs/strata/ledger/"
"""`HEADS + model` holds the tag object of the model's last event."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The state; what `refs/strata/ledger/` holds by model; approvals by tag object; what was seen here before; and
    what it was judged by."""

    state: LedgerState = field(default_factory=LedgerState)
    heads: Mapping[str, str] = field(default_factory=dict)
    approvals: Mapping[str, Approval] = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)
    trust: Trust = field(default_factory=Trust)

    def model(self, name: str) -> ModelState:
        """The state of one model, empty where it has no events."""
        return self.state.models.get(name) or ModelState(name, {}, (), None, (), 1, ())

    def approvals_of(self, model: str) -> tuple[Approval, ...]:
        """The approvals for versions of a model, in the order of their references."""
        prefix = f"{APPROVALS}{model}/"
        return tuple(sorted((a for a in self.approvals.values() if a.ref.startswith(prefix)), key=lambda a: a.ref))

    def vouches(self, step: Step) -> tuple[Vouch, ...]:
        """Who stands behind a move that was made: see `approval.vouches`."""
        return vouches(step, self.approvals)


def read_ledger(
    repo: Repository,
    verifier: Verifier | None = None,
    *,
    repository: str = "",
    model: str | None = None,
    models: Collection[str] | None = None,
    now: datetime | None = None,
    progress: Callable[[int], None] | None = None,
    overlay: Mapping[str, str] | None = None,
    trust: Trust | None = None,
    fresh: Collection[str] = (),
) -> Ledger:
    """All events (of one `model`, or of `models`, when given) with their signatures verified, and the state they make.

    `repository` is the UUID events must name. `trust` is the policy that judges (default: what is trusted here; none
    where a `verifier` is given); without one the user's own keys do. `overlay` are references (full name -> object id)
    read as if they were there, for a push that has not happened yet, `fresh` the tag objects that are new with it.
    Raises StrataError where no signature can be verified because gpg is missing.
    """
    listed = _listed(repo, model, overlay or {})
    if models is not None:
        listed = listed.only(models)
    seen = read_seen(repo)
    trusted = not_lowered(trust or (read_trust(repo, repository) if verifier is None else Trust()), seen.policy)
    keys = verifier or keys_for(repo, trusted, fresh=fresh)
    events, approvals = _read(repo, listed, keys, progress)
    asked = seen.heads.keys() if model is None else {model}
    before = {name: seen.heads[name] for name in asked & seen.heads.keys() if models is None or name in models}
    moment = int((now or datetime.now(UTC)).timestamp())
    folding = partial(
        fold, repository=repository, now=moment, heads=listed.heads, malformed=listed.malformed, seen=before,
        approvals=approvals, transitions=transitions_of(trusted),
    )  # fmt: skip
    state = governed(repo, trusted, keys, folding, events, approvals, now=moment, fresh=fresh, overlay=overlay)
    return Ledger(state, listed.heads, approvals, seen, trusted)


def read_approvals(
    repo: Repository, verifier: Verifier | None = None, *, model: str | None = None,
    overlay: Mapping[str, str] | None = None,
) -> dict[str, Approval]:  # fmt: skip
    """What stands under `refs/strata/approvals/` (of one `model`, when given), by tag object, signatures verified.

    What is no approval is there too and says why (`flaw`). `overlay` as in `read_ledger`.
    """
    listed = _listed(repo, model, overlay or {})
    return _read(repo, _Listed(approvals=listed.approvals), verifier or UserKeys(repo), None)[1]


_Row = tuple[EventName, str, str, int]
"""Name, object id, object type, size."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """References by their sort. `approvals` are reference, object id, object type and size."""

    heads: dict[str, str] = field(default_factory=dict)
    rows: list[_Row] = field(default_factory=list)
    malformed: dict[str, list[str]] = field(default_factory=dict)
    approvals: list[tuple[str, str, str, int]] = field(default_factory=list)

    def only(self, models: Collection[str]) -> _Listed:
        """What concerns `models`; all approvals, because an event may name any."""
        return _Listed(
            {model: oid for model, oid in self.heads.items() if model in models},
            [row for row in self.rows if row[0].model in models],
            {model: tags for model, tags in self.malformed.items() if model in models},
            self.approvals,
        )


def _listed(repo: Repository, model: str | None, overlay: Mapping[str, str]) -> _Listed:
    patterns = [HEADS, TAGS, APPROVALS]
    if model is not None:
        patterns = [HEADS + model, f"{TAGS}{model}@*", f"{TAGS}{model}#*", f"{APPROVALS}{model}/"]
    out = repo.git("for-each-ref", "--format=%(objectname) %(objecttype) %(objectsize) %(refname)", *patterns)
    if pushed := {ref: oid for ref, oid in overlay.items() if ref.startswith((HEADS, TAGS, APPROVALS))}:
        asked = "".join(f"{oid} {ref}\n" for ref, oid in pushed.items())
        out += repo.git("cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize) %(rest)",
                        input=os.fsencode(asked))  # fmt: skip
    found = _Listed()
    listed = {ref: row for *row, ref in (line.split(" ", 3) for line in os.fsdecode(out).split("\n")[:-1])}
    for ref, (oid, kind, size) in listed.items():
        if ref.startswith(HEADS):
            found.heads[ref.removeprefix(HEADS)] = oid
            continue
        if ref.startswith(APPROVALS):
            found.approvals.append((ref, oid, kind, int(size)))
            continue
        tag = ref.removeprefix(TAGS)
        if name := parse_name(tag):
            found.rows.append((name, oid, kind, int(size)))
        elif likeness(tag)[0] == "malformed":
            found.malformed.setdefault(likeness(tag)[1], []).append(tag)
    return found


def _read(
    repo: Repository, listed: _Listed, verifier: Verifier, progress: Callable[[int], None] | None
) -> tuple[list[Event], dict[str, Approval]]:
    objects = [row[1:] for row in listed.rows] + [row[1:] for row in listed.approvals]
    tags: dict[str, TagObject] = {}
    broken = {oid: f"it is a lightweight tag of a {kind}" for oid, kind, _ in objects if kind != "tag"}
    broken |= {
        oid: f"the tag object has {size} bytes; at most {TAG_LIMIT} are read"
        for oid, kind, size in objects if kind == "tag" and size > TAG_LIMIT
    }  # fmt: skip
    for oid, _, data in repo.objects.read_many(dict.fromkeys(oid for oid, _, _ in objects if oid not in broken)):
        try:
            tags[oid] = parse_tag(data or b"")
        except TagError as error:
            broken[oid] = str(error)
    verdicts = verify_tags(repo, tags, verifier, progress)
    said = {oid: _said(tags[oid]) for _, oid, _, _ in listed.rows if oid in tags}
    found = gather(repo, [(tags[oid].target, _directory(record)) for oid, (_, record, _) in said.items() if record])
    nothing = Evidence()
    events = [
        _event(name, oid, tags[oid], verdicts.get(oid, ()), said[oid],
               found.get((tags[oid].target, _directory(said[oid][1])), nothing)) if oid in tags
        else Event(name, oid, broken[oid], "STR-P001")
        for name, oid, _, _ in listed.rows
    ]  # fmt: skip
    approvals = {
        oid: read_approval(ref, oid, tags[oid], verdicts.get(oid, ())) if oid in tags
        else Approval(ref, oid, broken[oid])
        for ref, oid, _, _ in listed.approvals
    }  # fmt: skip
    return events, approvals


_Said = tuple[str, Record | None, str]
"""The reason and the record in a message; where there is no record, why."""


def read_event(name: EventName, oid: str, tag: TagObject, verdicts: tuple[SignatureVerdict, ...] = ()) -> Event:
    """An event from its tag object; what git holds at its commit is not asked here."""
    return _event(name, oid, tag, verdicts, _said(tag), Evidence())


def _said(tag: TagObject) -> _Said:
    try:
        return (*parse_message(tag.message), "")
    except RecordError as error:
        return "", None, str(error)


def _event(
    name: EventName, oid: str, tag: TagObject, verdicts: tuple[SignatureVerdict, ...], said: _Said, evidence: Evidence
) -> Event:
    reason, record, flaw = said
    return Event(
        name, oid, flaw, "STR-P003" if flaw else "", header=tag.tag, target=tag.target, tagger=tag.tagger,
        when=tag.when, reason=reason, record=record, signatures=verdicts, evidence=evidence,
    )  # fmt: skip


def read_approval(ref: str, oid: str, tag: TagObject, verdicts: tuple[SignatureVerdict, ...] = ()) -> Approval:
    """An approval from its tag object."""
    try:
        reason, text = split_message(tag.message)
        record = parse_approval(text)
    except RecordError as error:
        return Approval(ref, oid, str(error), tag.tagger, tag.when, signatures=verdicts)
    if wrong := misplaced(ref, tag.tag, tag.target, record):
        return Approval(ref, oid, wrong, tag.tagger, tag.when, reason, None, verdicts)
    return Approval(ref, oid, "", tag.tagger, tag.when, reason, record, verdicts)


def _directory(record: Record | None) -> str:
    return f"models/{record.model}/{record.version}" if record else ""
