"""Which events tell something of their own: a version that goes from one stage to the next leaves and enters. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from strata_git.index.records import StageRecord

_VERBS = {"registration": "registered as", "entering": "went to", "leaving": "left"}


def verb(event: StageRecord) -> str:
    """What a version did, before the name of the stage."""
    return _VERBS.get(event.action, event.action)


def stage_of(event: StageRecord) -> str:
    """The stage that an event is about: the one that was left, or the one that was entered."""
    return (event.origin or event.stage) if event.action == "leaving" else event.stage


def telling(events: Sequence[StageRecord]) -> list[StageRecord]:
    """The events without those that only leave a stage for the one that the next event enters."""
    entered = {(event.model, event.origin, event.stage) for event in events if event.action == "entering"}
    return [e for e in events if e.action != "leaving" or (e.model, e.origin, e.stage) not in entered]
