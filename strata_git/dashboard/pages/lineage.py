"""The picture of the whole: from data and code over runs to models and services. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from strata_git.dashboard.drawing import picture
from strata_git.dashboard.graph import everything
from strata_git.dashboard.html import e
from strata_git.dashboard.page import Page
from strata_git.dashboard.parts import command, section
from strata_git.dashboard.snapshot import Snapshot
from strata_git.dashboard.words import counted

PATH = "lineage.html"
_COMMAND = "git strata lineage MODEL@production"


def lineage(snapshot: Snapshot) -> Page:
    """All that is connected, or as much as can be drawn around what is in production."""
    return drawn(snapshot, _wanted(snapshot), _COMMAND)


def _wanted(snapshot: Snapshot) -> list[str]:
    models = snapshot.index.of_kind("model")
    first = [r.reference for r in models if "production" in r.stages]
    first += [r.reference for r in models if "staging" in r.stages]
    latest = [r.reference for r in reversed(models)]
    services = [r.reference for r in snapshot.index.of_kind("service")]
    return [*first, *latest, *services]


def drawn(snapshot: Snapshot, wanted: Sequence[str], told: str) -> Page:
    """The picture around the nodes that are `wanted`, the first of them first; `told` is the command for a terminal."""
    nodes, cut_off = everything(snapshot.graph, list(dict.fromkeys(wanted)))
    if not nodes:
        nothing = e("p", "Nothing refers to anything yet: runs name their data, models their run.", class_="empty")
        return Page(PATH, "Lineage", "lineage", (nothing,))
    lead = counted(len(snapshot.graph.edges), "connection")
    if cut_off:
        lead += ". Drawn is what models and services came from; every artifact's own page shows its surroundings."
    body = (
        picture(snapshot, PATH, nodes),
        section("Check it yourself", command(told, "The same in a terminal, with digests"), id_="check"),
    )
    return Page(PATH, "Lineage", "lineage", body, lead)
