"""Events of one model in the order in which each names what came before it. Pure.

The line is a graph: where two events follow the same one it forks, and a resolution, which follows several ends, heals
it. Nothing here asks for dates.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from strata_git.ledger.event import Event, LedgerComplaint

_Children = Mapping[str | None, Sequence[Event]]


@dataclass(frozen=True, slots=True)
class Line:
    """Events in order, the tag objects nothing follows, and what is wrong with the order.

    In `events` everything comes after what it follows, as far as that is here. `heads` are sorted by object id.
    """

    events: tuple[Event, ...]
    heads: tuple[str, ...]
    complaints: tuple[LedgerComplaint, ...]
    _known: Mapping[str, Event] = field(default_factory=dict, repr=False)

    @property
    def joints(self) -> frozenset[str]:
        """Tag objects to which something returns that does not come right after them; the heads among them."""
        found = set(self.heads)
        before = ""
        for event in self.events:
            found.update(parent for at, parent in enumerate(event.parents) if at or parent != before)
            before = event.oid
        return frozenset(found)

    def ancestry(self, *ends: str) -> frozenset[str]:
        """`ends` and all that comes before them, as far as it is here."""
        found: set[str] = set()
        open_ = [end for end in ends if end in self._known]
        while open_:
            oid = open_.pop()
            if oid not in found:
                found.add(oid)
                open_ += [parent for parent in self._known[oid].parents if parent in self._known]
        return frozenset(found)


def order(events: Collection[Event], apart: Collection[str] = ()) -> Line:
    """Put readable events of one model in line; `apart` are tag objects that are there but cannot be read.

    Where the line forks, the branches follow one another; what hangs on a missing event comes after the rest.
    """
    known = {event.oid: event for event in events}
    children: defaultdict[str | None, list[Event]] = defaultdict(list)
    for event in events:
        for parent in event.parents or (None,):
            children[parent].append(event)
    for siblings in children.values():
        siblings.sort(key=_sibling_order)
    told: list[LedgerComplaint] = []
    roots = [parent for parent in children if parent not in known]
    if len(roots) > 1:
        roots.sort(key=lambda parent: _root_order(parent, children, known))
    placed: dict[str, Event] = {}
    for root in roots:
        _walk(root, children, known, placed)
        if root is not None:
            reason = "cannot be read" if root in apart else "is gone"
            told += [_missing(event, root, reason) for event in children[root]]
    adrift = sorted((event for event in events if event.oid not in placed), key=_plain_order)
    told += [LedgerComplaint("STR-P006", event.tag, "its line of events has no beginning") for event in adrift]
    heads = sorted(event.oid for event in events if _is_head(event, children))
    line = Line((*placed.values(), *adrift), tuple(heads), (), known)
    return Line(line.events, line.heads, (*told, *_forks(children, line)), known)


def _forks(children: _Children, line: Line) -> Iterator[LedgerComplaint]:
    """Events that follow the same one, unless one signed resolution has all of them behind it."""
    forked = {parent: counted for parent, siblings in children.items() if len(counted := _counted(siblings)) > 1}
    if not forked:
        return
    healers = [event for event in line.events if event.name.kind == "resolution" and event.signed]
    healed = [line.ancestry(event.oid) for event in healers]
    for counted in forked.values():
        oids = {event.oid for event in counted}
        if any(oids <= behind for behind in healed):
            continue
        tags = " and ".join(event.tag for event in counted)
        for event in counted:
            yield LedgerComplaint("STR-P007", event.tag, f"the line forks: {tags} follow the same event")


def _counted(siblings: Sequence[Event]) -> Sequence[Event]:
    return [event for event in siblings if event.signed] or siblings


def _plain_order(event: Event) -> tuple[int, str, str]:
    return event.name.seq, event.tag, event.oid


def _sibling_order(event: Event) -> tuple[bool, int, str, str]:
    return (not event.signed, *_plain_order(event))


def _root_order(parent: str | None, children: _Children, known: Mapping[str, Event]) -> tuple[bool, int, str]:
    """The true beginning first, torn off parts by their first number."""
    part: dict[str, Event] = {}
    _walk(parent, children, known, part)
    numbers = [event.name.seq for event in part.values() if event.name.seq]
    return parent is not None, min(numbers, default=10**9), parent or ""


def _walk(root: str | None, children: _Children, known: Mapping[str, Event], placed: dict[str, Event]) -> None:
    """Place everything that follows `root`, branch by branch; what joins branches waits for the last of them."""
    open_ = list(reversed(children.get(root, ())))
    while open_:
        event = open_.pop()
        if event.oid in placed or any(parent in known and parent not in placed for parent in event.parents):
            continue
        placed[event.oid] = event
        open_.extend(reversed(children.get(event.oid, ())))


def _missing(event: Event, root: str, reason: str) -> LedgerComplaint:
    return LedgerComplaint("STR-P006", event.tag, f"the event before it (tag object {root}) {reason}")


def _is_head(event: Event, children: _Children) -> bool:
    """Nothing follows it; an unsigned event that nobody built on is no head beside a signed one."""
    if children.get(event.oid):
        return False
    siblings: Iterable[Event] = (each for parent in event.parents or (None,) for each in children[parent])
    return event.signed or not any(sibling.signed for sibling in siblings)
