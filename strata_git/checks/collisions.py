"""Run ids that two branches gave to two different runs (TFC-0002 section 3). Pure: ids and identities in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from strata_git.checks.finding import Finding, found
from strata_git.contracts.layout import RUN_RECORD, Artifact

SHOWN = 3


def judge_collisions(held: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    """Judge what `held` says: place (a branch, or what is judged) -> run id -> what tells one record from another."""
    places: dict[str, dict[str, list[str]]] = {}
    for place, runs in held.items():
        for run, identity in runs.items():
            places.setdefault(run, {}).setdefault(identity, []).append(place)
    for run, identities in sorted(places.items()):
        if len(identities) < 2:
            continue
        firsts = [sorted(where)[0] for where in identities.values()]
        named = ", ".join(sorted(firsts)[:SHOWN])
        message = f"{run} is {len(identities)} different runs: on {named}"
        yield found("STR-R007", f"{Artifact('run', run).path}/{RUN_RECORD}", message)
