"""What stages were before: the beginning of each line up to a moment or a commit (TFC-0009 3.10). Pure.

A line is cut, never sifted: an event counts with all that it follows. Moments are the claim of whoever made the tags;
that they increase along a line is all that is known of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from strata_git.ledger.event import Event
from strata_git.ledger.state import LedgerState, ModelState, fold


def until(state: LedgerState, moment: int) -> LedgerState:
    """The state after every event that claims to be of `moment` (Unix time) or before."""
    return _cut(state, lambda event: event.when <= moment)


def known_to(state: LedgerState, commits: Collection[str]) -> LedgerState:
    """The state after every event that was judged at one of `commits`: what somebody there could know.

    `commits` are a commit and all its ancestors. Each event names the commit at which its author stood.
    """
    return _cut(state, lambda event: event.record is not None and event.record.judged_at in commits)


def _cut(state: LedgerState, counts: Callable[[Event], bool]) -> LedgerState:
    """The lines up to the first event that does not count. Complaints stay those of the whole: they speak of tags."""
    models = {}
    for name, model in state.models.items():
        kept: dict[str, Event] = {}
        here = {event.oid for event in model.events}
        for event in model.events:
            if event.flaw or (counts(event) and all(p in kept for p in event.parents if p in here)):
                kept[event.oid] = event
        models[name] = _folded(model, kept)
    return LedgerState(models)


def _folded(model: ModelState, kept: dict[str, Event]) -> ModelState:
    if not kept:
        return replace(model, versions={}, events=(), head=None, heads=(), next_seq=1, steps=())
    return replace(fold(kept.values()).models[model.model], complaints=model.complaints)
