"""Events of one model in the order in which each names the one before it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from strata_git.ledger.event import Event, LedgerComplaint

_Children = Mapping[str | None, Sequence[Event]]


@dataclass(frozen=True, slots=True)
class Line:
    """Events in order, the tag objects nothing follows, and what is wrong with the order."""

    events: tuple[Event, ...]
    heads: tuple[str, ...]
    complaints: tuple[LedgerComplaint, ...]


def order(events: Collection[Event], apart: Collection[str] = ()) -> Line:
    """Put readable events of one model in line; `apart` are tag objects that are there but cannot be read.

    Where the line forks, the branches follow one another; what hangs on a missing event comes after the rest.
    """
    known = {event.oid for event in events}
    children: defaultdict[str | None, list[Event]] = defaultdict(list)
    for event in events:
        children[_prev(event)].append(event)
    for siblings in children.values():
        siblings.sort(key=lambda each: (not each.signed, each.name.seq, each.tag, each.oid))
    told = list(_forks(children.values()))
    roots = [prev for prev in children if prev not in known]
    if len(roots) > 1:
        roots.sort(key=lambda prev: _root_order(prev, children))
    ordered: list[Event] = []
    for root in roots:
        ordered += _walk(root, children)
        if root is not None:
            reason = "cannot be read" if root in apart else "is gone"
            told += [_missing(event, root, reason) for event in children[root]]
    placed = {event.oid for event in ordered}
    adrift = sorted((e for e in events if e.oid not in placed), key=lambda each: (each.name.seq, each.tag, each.oid))
    told += [LedgerComplaint("STR-P006", event.tag, "its line of events has no beginning") for event in adrift]
    heads = sorted(event.oid for event in events if _is_head(event, children))
    return Line((*ordered, *adrift), tuple(heads), tuple(told))


def _prev(event: Event) -> str | None:
    return event.record.prev if event.record else None


def _forks(families: Iterable[Sequence[Event]]) -> Iterator[LedgerComplaint]:
    for siblings in families:
        counted = [event for event in siblings if event.signed] or list(siblings)
        if len(counted) > 1:
            tags = " and ".join(event.tag for event in counted)
            for event in counted:
                yield LedgerComplaint("STR-P007", event.tag, f"the line forks: {tags} follow the same event")


def _root_order(prev: str | None, children: _Children) -> tuple[bool, int, str]:
    """The true beginning first, torn off parts by their first number."""
    numbers = [event.name.seq for event in _walk(prev, children) if event.name.seq]
    return prev is not None, min(numbers, default=10**9), prev or ""


def _walk(root: str | None, children: _Children) -> list[Event]:
    """Everything that follows `root`, branch by branch."""
    events: list[Event] = []
    open_ = list(reversed(children.get(root, ())))
    while open_:
        event = open_.pop()
        events.append(event)
        open_.extend(reversed(children.get(event.oid, ())))
    return events


def _missing(event: Event, root: str, reason: str) -> LedgerComplaint:
    return LedgerComplaint("STR-P006", event.tag, f"the event before it (tag object {root}) {reason}")


def _is_head(event: Event, children: _Children) -> bool:
    """Nothing follows it; an unsigned event that nobody built on is no head beside a signed one."""
    if children.get(event.oid):
        return False
    return event.signed or not any(sibling.signed for sibling in children[_prev(event)])
