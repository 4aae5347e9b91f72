"""Writing events: tag objects first, then all references in one transaction, or nothing (TFC-0009 §3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from strata_git.errors import StrataError
from strata_git.integrity.signer import SignatureVerdict, Signer
from strata_git.ledger.event import Event, Evidence
from strata_git.ledger.events import HEADS, read_event
from strata_git.ledger.names import TAGS, EventName
from strata_git.ledger.record import Record, format_message, format_tag, parse_tag
from strata_git.ledger.signing import Verifier, committer
from strata_git.ledger.state import ModelState
from strata_git.repo.command import Repository
from strata_git.repo.refs import RefConflict, Transaction


@dataclass(frozen=True, slots=True)
class Draft:
    """An event to be written.

    `origin` is None for a registration, `leaving` tells the two halves of a move apart. `merges` are the other ends
    that a resolution joins to the line; there `origin` and `target` are the stage in which the version stays.
    """

    version: str
    origin: str | None
    target: str
    commit: str
    tree: str
    digest: str
    leaving: bool = False
    merges: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Author:
    """Who writes events, when, and why.

    `repository` is the UUID, `judged_at` the commit that was judged, `policy` the digest of the trust policy it was
    judged by (None: there is none), `approvals` the tag objects that approve the move.
    """

    signer: Signer
    verifier: Verifier
    repository: str
    judged_at: str
    now: datetime
    reason: str = ""
    policy: str | None = None
    approvals: tuple[str, ...] = ()


def write_events(
    repo: Repository, state: ModelState, drafts: Sequence[Draft], author: Author, *, recorded: str | None,
    behind: Event | None = None, judge: Callable[[tuple[Event, ...]], None] | None = None,
    enter: Callable[[Transaction, Mapping[str, str]], None] | None = None,
) -> tuple[Event, ...]:  # fmt: skip
    """Write `drafts` behind the last event of `state`, in their order, all or none of them.

    Where the line forks there is no last event, and `behind` says which of its ends is built on. `recorded` is what the
    model's ledger reference holds (None: it does not exist yet); it is moved in the same transaction and only from
    there. `judge` sees the events when they are signed and nothing refers to them yet; what it raises stops them.
    `enter` adds to the transaction what a signed log says of it (reference -> what it comes to hold).
    Raises StrataError when a key cannot sign, when the reason cannot be written, or when somebody else was faster;
    nothing is written then but objects that nothing refers to.
    """
    who = committer(repo)
    events: list[Event] = []
    head, seq = behind or state.head, state.next_seq
    for draft in drafts:
        head = _write_tag(repo, state.model, draft, author, who, head, seq)
        seq += head.name.seq > 0
        events.append(head)
    if judge is not None:
        judge(tuple(events))
    changes = Transaction(repo)
    for event in events:
        changes.create(TAGS + event.tag, event.oid)
    changes.update(HEADS + state.model, events[-1].oid, recorded or repo.null_oid)
    if enter is not None:
        enter(changes, {**{TAGS + event.tag: event.oid for event in events}, HEADS + state.model: events[-1].oid})
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
    earlier = [event.when + 1 for event in (before, *draft.merges) if event is not None]
    when = max(int(author.now.timestamp()), *earlier, 0)
    name = _name(model, draft, seq)
    record = Record(
        repo=author.repository, model=model, version=draft.version, origin=draft.origin, target=draft.target,
        seq=name.seq, prev=before.oid if before else None, commit=draft.commit, tree=draft.tree, digest=draft.digest,
        judged_at=author.judged_at, issued_at=datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        policy=author.policy, approvals=author.approvals if draft.origin is not None else (),
        merges=tuple(sorted(event.oid for event in draft.merges)),
    )  # fmt: skip
    try:
        message = format_message(_sentence(name, draft), author.reason, record)
    except ValueError as error:
        raise StrataError(f"The reason cannot be recorded: {error}.") from None
    payload, signature, verdicts = signed_tag(author, format_tag(draft.commit, name.tag, who, when, message), name.tag)
    event = read_event(name, "", parse_tag(payload + signature))
    if event.flaw or event.record != record:
        raise StrataError(f"The event {name.tag} would not count: {event.flaw or 'it cannot be read back'}.")
    oid = repo.git("mktag", input=payload + signature).decode().strip()  # git's own strict check, and the object
    return replace(event, oid=oid, signatures=verdicts, evidence=Evidence(tree=draft.tree, digest=draft.digest))


def signed_tag(author: Author, payload: bytes, what: str) -> tuple[bytes, bytes, tuple[SignatureVerdict, ...]]:
    """A tag's payload, a signature over it, and the verdicts on that; StrataError when it would not count."""
    signature = author.signer.sign(payload)
    verdicts = tuple(author.verifier.verify_tag_payload(payload, signature))
    if verdicts and all(verdict.good for verdict in verdicts):
        return payload, signature, verdicts
    reason = ", ".join(verdict.sentence for verdict in verdicts) or "it is not signed"
    raise StrataError(
        f"{what} would not count: {reason}.",
        hint="The trust policy has to name the key, and to hold its public half: git strata trust show"
        if author.policy
        else "With an SSH key, list it in an allowed-signers file of yours:\n"
        "git config --global gpg.ssh.allowedSignersFile FILE",
    )


def _name(model: str, draft: Draft, seq: int) -> EventName:
    if draft.merges:
        return EventName(model, seq=seq)
    if draft.origin is None:
        return EventName(model, version=draft.version)
    stage = draft.origin if draft.leaving else draft.target
    return EventName(model, stage=stage, leaving=draft.leaving, seq=seq)


def _sentence(name: EventName, draft: Draft) -> str:
    subject = f"{name.model} {draft.version}"
    match name.kind:
        case "registration":
            return f"{subject} is registered"
        case "entering":
            return f"{subject} enters {draft.target}"
        case "resolution":
            return f"{name.model} has one line of events again; {draft.version} is in {draft.target}"
        case _:
            onward = f" for {draft.target}" if draft.target != "experimental" else ""
            return f"{subject} leaves {draft.origin}{onward}"
