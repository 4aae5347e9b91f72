"""Events of a repository: all read in a few sweeps, written together or not at all, noted beside the commits."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from strata_git.errors import StrataError
from strata_git.integrity.signer import SignatureVerdict, Signer
from strata_git.ledger.event import Event, Evidence, LedgerComplaint
from strata_git.ledger.evidence import gather
from strata_git.ledger.names import TAGS, EventName, likeness, parse_name
from strata_git.ledger.record import (
    TAG_LIMIT,
    Record,
    RecordError,
    TagError,
    TagObject,
    format_message,
    format_tag,
    parse_message,
    parse_tag,
)
from strata_git.ledger.signing import UserKeys, Verifier, committer, verify_tags
from strata_git.ledger.state import LedgerState, ModelState, fold
from strata_git.ledger.statement import PREDICATE, statement
from strata_git.repo.command import Repository
from strata_git.repo.notes import append_lines, noted
from strata_git.repo.refs import RefConflict, Transaction

HEADS = "refs/strata/ledger/"
"""`HEADS + model` holds the tag object of the model's last event."""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The state, and what `refs/strata/ledger/` holds by model."""

    state: LedgerState = field(default_factory=LedgerState)
    heads: Mapping[str, str] = field(default_factory=dict)

    def model(self, name: str) -> ModelState:
        """The state of one model, empty where it has no events."""
        return self.state.models.get(name) or ModelState(name, {}, (), None, (), 1, ())


@dataclass(frozen=True, slots=True)
class Draft:
    """An event to be written. `origin` is None for a registration, `leaving` tells the two halves of a move apart."""

    version: str
    origin: str | None
    target: str
    commit: str
    tree: str
    digest: str
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes events, when, and why; `repository` is the UUID, `judged_at` the commit that was judged."""

    signer: Signer
    verifier: Verifier
    repository: str
    judged_at: str
    now: datetime
    reason: str = ""


# -- reading -----------------------------------------------------------------------------------------------------


def read_ledger(
    repo: Repository,
    verifier: Verifier | None = None,
    *,
    repository: str = "",
    model: str | None = None,
    now: datetime | None = None,
    progress: Callable[[int], None] | None = None,
    overlay: Mapping[str, str] | None = None,
) -> Ledger:
    """All events (of one `model`, when given) with their signatures verified, and the state they make.

    `repository` is the UUID events must name; without a `verifier` the user's own keys judge. `overlay` are references
    (full name -> object id) read as if they were there, for a push that has not happened yet. Raises StrataError where
    no signature can be verified because gpg is missing.
    """
    heads, rows, malformed = _listed(repo, model, overlay or {})
    events = _read_events(repo, rows, verifier or UserKeys(repo), progress)
    moment = int((now or datetime.now(UTC)).timestamp())
    state = fold(events, repository=repository, now=moment, heads=heads, malformed=malformed)
    return Ledger(state, heads)


_Row = tuple[EventName, str, str, int]
"""Name, object id, object type, size."""


def _listed(
    repo: Repository, model: str | None, overlay: Mapping[str, str]
) -> tuple[dict[str, str], list[_Row], dict[str, list[str]]]:
    patterns = [HEADS, TAGS] if model is None else [HEADS + model, f"{TAGS}{model}@*", f"{TAGS}{model}#*"]
    out = repo.git("for-each-ref", "--format=%(objectname) %(objecttype) %(objectsize) %(refname)", *patterns)
    if pushed := {ref: oid for ref, oid in overlay.items() if ref.startswith((HEADS, TAGS))}:
        asked = "".join(f"{oid} {ref}\n" for ref, oid in pushed.items())
        out += repo.git("cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize) %(rest)",
                        input=os.fsencode(asked))  # fmt: skip
    heads: dict[str, str] = {}
    rows: list[_Row] = []
    malformed: dict[str, list[str]] = {}
    listed = {ref: row for *row, ref in (line.split(" ", 3) for line in os.fsdecode(out).split("\n")[:-1])}
    for ref, (oid, kind, size) in listed.items():
        if ref.startswith(HEADS):
            heads[ref.removeprefix(HEADS)] = oid
            continue
        tag = ref.removeprefix(TAGS)
        if name := parse_name(tag):
            rows.append((name, oid, kind, int(size)))
        elif likeness(tag)[0] == "malformed":
            malformed.setdefault(likeness(tag)[1], []).append(tag)
    return heads, rows, malformed


def _read_events(
    repo: Repository, rows: Sequence[_Row], verifier: Verifier, progress: Callable[[int], None] | None
) -> list[Event]:
    wanted = [oid for _, oid, kind, size in rows if kind == "tag" and size <= TAG_LIMIT]
    tags: dict[str, TagObject] = {}
    broken: dict[str, str] = {}
    for oid, _, data in repo.objects.read_many(dict.fromkeys(wanted)):
        try:
            tags[oid] = parse_tag(data or b"")
        except TagError as error:
            broken[oid] = str(error)
    verdicts = verify_tags(repo, tags, verifier, progress)
    events = []
    for name, oid, kind, size in rows:
        if oid in tags:
            events.append(_event(name, oid, tags[oid], verdicts.get(oid, ())))
        elif kind != "tag":
            events.append(Event(name, oid, f"it is a lightweight tag of a {kind}", "STR-P001"))
        else:
            flaw = broken.get(oid, f"the tag object has {size} bytes; at most {TAG_LIMIT} are read")
            events.append(Event(name, oid, flaw, "STR-P001"))
    found = gather(repo, [(event.target, _directory(event)) for event in events if event.record])
    return [replace(event, evidence=found.get((event.target, _directory(event)), Evidence())) for event in events]


def _event(name: EventName, oid: str, tag: TagObject, verdicts: tuple[SignatureVerdict, ...] = ()) -> Event:
    reason, record, flaw, rule = "", None, "", ""
    try:
        reason, record = parse_message(tag.message)
    except RecordError as error:
        flaw, rule = str(error), "STR-P003"
    return Event(
        name, oid, flaw, rule, header=tag.tag, target=tag.target, tagger=tag.tagger, when=tag.when, reason=reason,
        record=record, signatures=verdicts,
    )  # fmt: skip


def _directory(event: Event) -> str:
    return f"models/{event.record.model}/{event.record.version}" if event.record else ""


# -- writing -----------------------------------------------------------------------------------------------------


def write_events(
    repo: Repository, state: ModelState, drafts: Sequence[Draft], author: Author, *, recorded: str | None
) -> tuple[Event, ...]:
    """Write `drafts` behind the last event of `state`, in their order, all or none of them.

    `recorded` is what the model's ledger reference holds (None: it does not exist yet); it is moved in the same
    transaction and only from there. Raises StrataError when a key cannot sign, when the reason cannot be written, or
    when somebody else was faster; nothing is written then but objects that nothing refers to.
    """
    who = committer(repo)
    events: list[Event] = []
    head, seq = state.head, state.next_seq
    for draft in drafts:
        head = _write_tag(repo, state.model, draft, author, who, head, seq)
        seq += head.name.seq > 0
        events.append(head)
    changes = Transaction(repo)
    for event in events:
        changes.create(TAGS + event.tag, event.oid)
    changes.update(HEADS + state.model, events[-1].oid, recorded or repo.null_oid)
    try:
        changes.commit()
    except RefConflict:
        raise StrataError(
            f"Somebody promoted {state.model} at the same time; nothing was written.", hint="Run the command again."
        ) from None
    return tuple(events)


def _write_tag(
    repo: Repository, model: str, draft: Draft, author: Author, who: str, before: Event | None, seq: int
) -> Event:
    when = max(int(author.now.timestamp()), before.when + 1 if before else 0)
    name = EventName(model, version=draft.version)
    if draft.origin is not None:
        stage = draft.origin if draft.leaving else draft.target
        name = EventName(model, stage=stage, leaving=draft.leaving, seq=seq)
    record = Record(
        repo=author.repository, model=model, version=draft.version, origin=draft.origin, target=draft.target,
        seq=name.seq, prev=before.oid if before else None, commit=draft.commit, tree=draft.tree, digest=draft.digest,
        judged_at=author.judged_at, issued_at=datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )  # fmt: skip
    try:
        message = format_message(_sentence(name, draft), author.reason, record)
    except ValueError as error:
        raise StrataError(f"The reason cannot be recorded: {error}.") from None
    payload = format_tag(draft.commit, name.tag, who, when, message)
    signature = author.signer.sign(payload)
    event = _event(name, "", parse_tag(payload + signature))
    verdicts = tuple(author.verifier.verify_tag_payload(payload, signature))
    if event.flaw or event.record != record or not verdicts or not all(verdict.good for verdict in verdicts):
        reason = event.flaw or ", ".join(verdict.sentence for verdict in verdicts)
        raise StrataError(
            f"The event {name.tag} would not count: {reason}.",
            hint="With an SSH key, list it in an allowed-signers file of yours:\n"
            "git config --global gpg.ssh.allowedSignersFile FILE",
        )
    oid = repo.git("mktag", input=payload + signature).decode().strip()  # git's own strict check, and the object
    return replace(event, oid=oid, signatures=verdicts, evidence=Evidence(tree=draft.tree, digest=draft.digest))


def _sentence(name: EventName, draft: Draft) -> str:
    subject = f"{name.model} {draft.version}"
    match name.kind:
        case "registration":
            return f"{subject} is registered"
        case "entering":
            return f"{subject} enters {draft.target}"
        case _:
            onward = f" for {draft.target}" if draft.target != "experimental" else ""
            return f"{subject} leaves {draft.origin}{onward}"


# -- notes -------------------------------------------------------------------------------------------------------


def missing_notes(repo: Repository, events: Iterable[Event]) -> dict[str, list[bytes]]:
    """By commit, the lines of those signed `events` that are not noted: after a crash, or a fetch of tags alone."""
    present = noted(repo)
    lacking: dict[str, list[bytes]] = {}
    for event in events:
        if event.record is None or not event.signed or not event.evidence.present:
            continue
        line = statement(event)
        if line not in present.get(event.target, []):
            lacking.setdefault(event.target, []).append(line)
    return lacking


def write_notes(repo: Repository, events: Iterable[Event]) -> int:
    """Note those of `events` that are not noted yet; how many. Safe to repeat. Raises StrataError when git refuses."""
    lacking = missing_notes(repo, events)
    for commit, lines in lacking.items():
        append_lines(repo, commit, lines)
    return sum(len(lines) for lines in lacking.values())


def stray_notes(repo: Repository, events: Iterable[Event]) -> tuple[LedgerComplaint, ...]:
    """Complaints about note lines that claim to be of an event and repeat none of `events` (all there are)."""
    known = {(event.target, statement(event)) for event in events if event.record is not None}
    told = []
    for commit, lines in noted(repo).items():
        for line in lines:
            if PREDICATE.encode() in line and (commit, line) not in known:
                told.append(LedgerComplaint("STR-P018", "", f"a note on {commit} repeats no event that is here"))
    return tuple(dict.fromkeys(told))
