"""The ledger as a timeline: who moved which model where, and why. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence

from strata_git.dashboard.addresses import ROWS, listing_page, pages_of
from strata_git.dashboard.html import Element, Node, e
from strata_git.dashboard.moves import stage_of, verb
from strata_git.dashboard.page import Page
from strata_git.dashboard.parts import badge, command, pager, reference, section, short, signature, when
from strata_git.dashboard.snapshot import Snapshot
from strata_git.dashboard.words import counted
from strata_git.index.records import StageRecord


def promotions(snapshot: Snapshot) -> list[tuple[str, Callable[[], Page]]]:
    """The pages of the timeline, the latest event first."""
    events = sorted(snapshot.index.events, key=lambda event: (event.date, event.tag), reverse=True)
    return [
        (listing_page("promotions", number), lambda number=number: _page(snapshot, events, number))  # type: ignore[misc]
        for number in range(1, pages_of(len(events)) + 1)
    ]


def _page(snapshot: Snapshot, events: Sequence[StageRecord], number: int) -> Page:
    path = listing_page("promotions", number)
    shown = events[(number - 1) * ROWS : number * ROWS]
    if not shown:
        told = e("p", "No model was promoted yet. ", e("code", "git strata promote MODEL"), " does it.", class_="empty")
        return Page(path, "Promotions", "promotions", (told,))
    body = (
        timeline(snapshot, path, shown),
        pager(path, "promotions", number, len(events)),
        section("Check it yourself", *checks(shown[:1]),
                command("git strata verify", "Check the whole ledger: signatures, chains, gaps"), id_="check"),
    )  # fmt: skip
    title = "Promotions" if number == 1 else f"Promotions, page {number}"
    lead = f"{counted(len(events), 'event')}, each a signed tag. The state of every model is what they add up to."
    return Page(path, title, "promotions", body, lead)


def timeline(snapshot: Snapshot, path: str, events: Sequence[StageRecord], *, named: bool = True) -> Element:
    """Events in the order given, each with its signer, its reason and its tag."""
    return e("ol", [_event(snapshot, path, event, named) for event in events], class_="timeline events")


def checks(events: Sequence[StageRecord]) -> list[Element]:
    """Stock commands that verify events."""
    return [
        command(f"git verify-tag {shlex.quote(event.tag)}", f"Check the signature of {event.tag}") for event in events
    ]


def _event(snapshot: Snapshot, path: str, event: StageRecord, named: bool) -> Node:
    what = reference(snapshot, path, event.model.reference, event.model.short) if named else event.model.version
    stage = stage_of(event)
    came = f" from {event.origin}" if event.origin and event.action == "entering" else None
    came = f" for {event.stage}" if event.action == "leaving" and event.stage != stage else came
    return e(
        "li",
        when(event.date),
        e("div",
          e("p", what, f" {verb(event)} ", badge(stage, f"stage-{stage}"), came,
            [" ", badge("now", "good")] if event.current and event.action != "leaving" else None,
            [" ", badge("unsound", "bad")] if not event.sound else None),
          e("p", f"“{event.reason}”", class_="reason") if event.reason else None,
          e("p", signature(event.signature), class_="quiet"),
          e("p", "tag ", e("code", event.tag), " on commit ", short(event.commit), class_="quiet")),
        class_=None if event.sound else "unsound",
    )  # fmt: skip
