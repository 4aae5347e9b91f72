"""An event as it was found: what its tag says, and what git and a verifier say about it. Pure values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from strata_git.checks.catalog import RULES
from strata_git.checks.finding import Finding, found
from strata_git.integrity.signer import SignatureVerdict, foremost, is_signed, spoiler
from strata_git.ledger.names import TAGS, EventName
from strata_git.ledger.record import Record


@dataclass(frozen=True, slots=True)
class Evidence:
    """What git holds at the commit an event points at.

    `present` is False where that commit is not in this clone. `tree` is the version's directory there (None: there is
    none), `digest` that of its CHECKSUMS.txt, `introduces` whether no parent of the commit has the directory.
    """

    present: bool = True
    tree: str | None = None
    digest: str | None = None
    introduces: bool = True


@dataclass(frozen=True, slots=True)
class Event:
    """A tag whose name is that of an event.

    `oid` is what the reference holds. `flaw` says why it is no event at all (a lightweight tag, say) and `flaw_rule`
    which rule it breaks; all that follows is then empty. `header` is the name inside the tag object, `target` the
    commit, `when` the tagger's date in Unix time.
    """

    name: EventName
    oid: str
    flaw: str = ""
    flaw_rule: str = ""
    header: str = ""
    target: str = ""
    tagger: str = ""
    when: int = 0
    reason: str = ""
    record: Record | None = None
    signatures: tuple[SignatureVerdict, ...] = ()
    evidence: Evidence = Evidence()
    barred: tuple[tuple[str, str], ...] = ()

    @property
    def tag(self) -> str:
        """The tag's name."""
        return self.name.tag

    @property
    def parents(self) -> tuple[str, ...]:
        """The tag objects it follows: the event before, and where it heals a fork the other ends too."""
        record = self.record
        if record is None or record.prev is None:
            return ()
        return (record.prev, *record.merges)

    @property
    def signed(self) -> bool:
        """Whether a signature vouches for it; an event without one moves nothing."""
        return is_signed(self.signatures) and not self.barred

    @property
    def signer(self) -> str:
        """Who signed, for people: the key's user id, else its fingerprint."""
        if not self.signatures:
            return ""
        return foremost(self.signatures).who


@dataclass(frozen=True, slots=True, order=True)
class LedgerComplaint:
    """What is wrong with the event `tag`, or with the line of events at that place."""

    rule: str
    tag: str
    message: str

    @property
    def severity(self) -> str:
        """As the catalog has it: error, warning or info."""
        return RULES[self.rule].severity

    def finding(self, model: str = "MODEL") -> Finding:
        """The complaint as a finding, placed at the reference."""
        fix = RULES[self.rule].fix.replace("MODEL", model)
        return found(self.rule, f"{TAGS}{self.tag}" if self.tag else model, self.message, fix=fix)


def flaws(event: Event, repository: str) -> list[LedgerComplaint]:
    """Why an event cannot be part of a line: no record, or name, tag header and record disagree (TFC-0009 §2)."""
    if event.flaw:
        return [LedgerComplaint(event.flaw_rule, event.tag, event.flaw)]
    record = event.record
    if record is None:
        return [LedgerComplaint("STR-P003", event.tag, "it has no record")]
    told = []
    if event.header != event.tag:
        told.append(LedgerComplaint("STR-P002", event.tag, f"the tag object under this name is that of {event.header}"))
    elif differing := _disagreements(event, record):
        told.append(LedgerComplaint("STR-P002", event.tag, f"name and record differ in {', '.join(differing)}"))
    if repository and record.repo != repository:
        told.append(LedgerComplaint("STR-P005", event.tag, f"it belongs to the repository {record.repo}"))
    return told


def doubts(event: Event) -> list[LedgerComplaint]:
    """What speaks against an event that reads well: its signature, and what git holds at its commit."""
    record = event.record
    assert record is not None  # noqa: S101 - flaws() was asked first
    told = []
    if not event.signatures:
        told.append(LedgerComplaint("STR-P001", event.tag, "it is not signed"))
    elif not is_signed(event.signatures):
        verdict = spoiler(event.signatures)
        told.append(LedgerComplaint("STR-P004", event.tag, f"signature by {verdict.who}: {verdict.sentence}"))
    told += [LedgerComplaint(rule, event.tag, message) for rule, message in event.barred]
    evidence, place = event.evidence, f"models/{record.model}/{record.version}"
    if not evidence.present:
        told.append(LedgerComplaint("STR-P021", event.tag, f"commit {event.target} is not in this clone"))
    elif evidence.tree is None or evidence.tree != record.tree:
        what = "holds no" if evidence.tree is None else "has another tree at"
        told.append(LedgerComplaint("STR-P010", event.tag, f"commit {event.target} {what} {place}"))
    elif not evidence.introduces:
        told.append(LedgerComplaint("STR-P010", event.tag, f"commit {event.target} did not introduce {place}"))
    elif evidence.digest != record.digest:
        told.append(LedgerComplaint("STR-P011", event.tag, f"its digest is not that of {place}/CHECKSUMS.txt"))
    return told


def errors(complaints: Iterable[LedgerComplaint]) -> tuple[LedgerComplaint, ...]:
    """Those that make a ledger unfit to build on."""
    return tuple(complaint for complaint in complaints if complaint.severity == "error")


def _disagreements(event: Event, record: Record) -> list[str]:
    name = event.name
    expected: dict[str, tuple[object, object]] = {
        "model": (name.model, record.model),
        "number": (name.seq, record.seq),
        "commit": (event.target, record.commit),
    }
    match name.kind:
        case "registration":
            expected["version"] = (name.version, record.version)
            expected["stage"] = ((None, "experimental"), (record.origin, record.target))
        case "entering":
            expected["stage"] = (name.stage, record.target)
        case "leaving":
            expected["stage"] = (name.stage, record.origin)
        case "resolution":
            expected["stage"] = (record.origin, record.target)
    expected["merged lines"] = (name.kind == "resolution", bool(record.merges))
    return [what for what, (named, recorded) in expected.items() if named != recorded]
