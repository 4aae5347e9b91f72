"""The signed log: which reference of the ledger went from where to where, entry by entry (TFC-0009 section 9). Pure.

An entry is a commit without files, whose parent is the entry before. Its message says all, so that `git log` shows it:

    Entry 7: forest v2 enters staging

    repository 5f0c2a52-6a35-4c3e-9d55-0d7f6f2a9d01
    policy sha256:9f86...
    - 1f0e3dad99908345f7439f8ffabdffc4d3b1a0b2 refs/tags/forest#staging#7
    67d5... 1f0e3dad99908345f7439f8ffabdffc4d3b1a0b2 refs/strata/ledger/forest

`-` stands for nothing. The name `policy` stands for the trust policy in force, by its digest.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from strata_git.errors import printable
from strata_git.ledger.event import LedgerComplaint

LOG = "refs/strata/log"
POLICY = "policy"
LIMIT = 8 << 20
"""Most bytes of one entry that are read."""
LOGGED = ("refs/tags/", "refs/strata/ledger/", "refs/strata/approvals/")
NOTHING = "-"

_OID = "(?:[0-9a-f]{40}|[0-9a-f]{64})"
_VALUE = rf"(?:-|{_OID}|sha256:[0-9a-f]{{64}})"
_CHANGE = re.compile(rf"({_VALUE}) ({_VALUE}) (policy|refs/[!-~]{{1,1000}})")
_HEAD = re.compile(
    rb"tree (?P<tree>[0-9a-f]+)\n"
    rb"(?:parent (?P<parent>[0-9a-f]+)\n)?"
    rb"author [^\n\0]*\n"
    rb"committer (?P<who>[^<>\n\0]+ <[^<>\n\0]*>) (?P<when>0|[1-9][0-9]{0,11}) [-+][0-9]{4}\n"
    rb"\n"
)
_MESSAGE = re.compile(
    r"Entry (?P<number>[1-9][0-9]{0,8}): (?P<deed>[^\n]{1,400})\n\n"
    r"repository (?P<repository>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\n"
    r"policy (?P<policy>sha256:[0-9a-f]{64})\n"
    r"(?P<changes>(?:[^\n]+\n)+)"
)


class EntryError(ValueError):
    """A commit that is no entry of a log; the rest of a sentence."""


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One reference: its full name (or `policy`), what it held (`-`: nothing) and what it holds."""

    ref: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it was found; `oid` is the commit, `parent` the entry before (`""`: it is the first).

    `policy` is the digest of the policy it was signed under, `when` its date (Unix time). `who` is the enrolled person
    who signed it, `""` where nobody did whose word counts; `revoked` says that a later version of the policy takes that
    word back.
    """

    oid: str
    parent: str
    number: int
    deed: str
    repository: str
    policy: str
    changes: tuple[Change, ...]
    when: int
    who: str = ""
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Log:
    """The whole log, oldest entry first, and what is wrong with it."""

    entries: tuple[Entry, ...] = ()
    complaints: tuple[LedgerComplaint, ...] = ()
    state: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """Reference -> what it holds by the last entry that names it, and that entry's number."""

    @property
    def tip(self) -> str | None:
        """The commit of the last entry; None where there is none."""
        return self.entries[-1].oid if self.entries else None

    def signer_of(self, number: int) -> str:
        """Who signed an entry, for people."""
        return next((entry.who for entry in self.entries if entry.number == number), "") or "nobody enrolled"


def format_entry(
    number: int, deed: str, changes: Iterable[Change], *, repository: str, policy: str, tree: str, parent: str | None,
    who: str, when: int,
) -> bytes:  # fmt: skip
    """The commit of an entry, not signed yet; `tree` is the empty tree, `who` is `name <mail>`."""
    lines = "".join(f"{change.old} {change.new} {change.ref}\n" for change in sorted(changes))
    before = f"parent {parent}\n" if parent else ""
    head = f"tree {tree}\n{before}author {who} {when} +0000\ncommitter {who} {when} +0000\n\n"
    return f"{head}Entry {number}: {deed}\n\nrepository {repository}\npolicy {policy}\n{lines}".encode()


def parse_entry(oid: str, payload: bytes, *, empty_tree: str) -> Entry:
    """Read an entry from its commit without the signature. Raises EntryError unless it is of the one form."""
    head = _HEAD.match(payload)
    if head is None:
        raise EntryError("has other headers than tree, parent, author and committer")
    if head["tree"].decode() != empty_tree:
        raise EntryError("holds files")
    try:
        message = _MESSAGE.fullmatch(payload[head.end() :].decode())
    except UnicodeDecodeError:
        message = None
    if message is None:
        raise EntryError("does not read as an entry")
    changes = []
    for line in message["changes"].splitlines():
        match = _CHANGE.fullmatch(line)
        if match is None or match[1] == match[2]:
            raise EntryError(f"has the line '{printable(line[:80])}', which is no change")
        changes.append(Change(match[3], match[1], match[2]))
    if changes != sorted(changes) or len({change.ref for change in changes}) != len(changes):
        raise EntryError("names its references out of order, or one of them twice")
    return Entry(
        oid, (head["parent"] or b"").decode(), int(message["number"]), message["deed"], message["repository"],
        message["policy"], tuple(changes), int(head["when"]),
    )  # fmt: skip


def fold_log(entries: Sequence[Entry], *, repository: str, versions: Mapping[str, int]) -> Log:
    """The log that `entries` make, oldest first; `versions` are the policy's digests and numbers, as far as trusted."""
    told: list[LedgerComplaint] = []
    state: dict[str, tuple[str, int]] = {}
    newest = 0
    for place, entry in enumerate(entries, 1):
        told += [_wrong(entry.number, why) for why in _faults(entry, place, repository, versions, newest)]
        if entry.revoked:
            message = f"entry {entry.number} of the signed log is by a key of {entry.who} that was revoked before it"
            told.append(LedgerComplaint("STR-P043", "", message))
        newest = max(newest, versions.get(entry.policy, 0))
        for change in entry.changes:
            before = state.get(change.ref, (NOTHING, 0))[0]
            if before != change.old:
                why = f"says that {change.ref} was {change.old}, and by the log it was {before}"
                told.append(_wrong(entry.number, why))
            state[change.ref] = (change.new, entry.number)
    return Log(tuple(entries), tuple(told), {ref: held for ref, held in state.items() if held[0] != NOTHING})


def compare(
    log: Log, here: Mapping[str, str], is_forward: Callable[[str, str, str], bool]
) -> tuple[list[LedgerComplaint], list[Change]]:
    """What moved or vanished without an entry, and what an entry could still take up.

    `here` are the references as they are (and `policy`). `is_forward(ref, old, new)` tells whether a reference that may
    move went on from where the log has it. What was only added, or went on, is told as a warning and is taken up.
    """
    told: list[LedgerComplaint] = []
    open_: list[Change] = []
    for ref in sorted(log.state.keys() | here.keys()):
        held, number = log.state.get(ref, (NOTHING, 0))
        now = here.get(ref, NOTHING)
        if now == held:
            continue
        if held == NOTHING:
            open_.append(Change(ref, held, now))
            told.append(LedgerComplaint("STR-P042", "", f"{ref} is in no entry of the signed log"))
        elif now != NOTHING and is_forward(ref, held, now):
            open_.append(Change(ref, held, now))
            told.append(LedgerComplaint("STR-P042", "", f"{ref} went on since entry {number} of the signed log"))
        else:
            what = "is gone" if now == NOTHING else f"is {now}"
            message = f"{ref} {what}; by entry {number} of the signed log ({log.signer_of(number)}) it is {held}"
            told.append(LedgerComplaint("STR-P040", "", message))
    return told, open_


def _faults(entry: Entry, place: int, repository: str, versions: Mapping[str, int], newest: int) -> Iterable[str]:
    if entry.number != place:
        yield f"stands in the place of entry {place}"
    if bool(entry.parent) != (place > 1):
        yield "does not follow the entry before it"
    if repository and entry.repository != repository:
        yield f"belongs to the repository {entry.repository}"
    if entry.policy not in versions:
        yield f"names the policy {entry.policy}, which is none of this repository's"
    elif versions[entry.policy] < newest:
        yield f"names version {versions[entry.policy]} of the policy behind version {newest}"
    if not entry.who:
        yield "carries no signature of anybody enrolled"


def _wrong(number: int, why: str) -> LedgerComplaint:
    return LedgerComplaint("STR-P041", "", f"entry {number} of the signed log {why}")
