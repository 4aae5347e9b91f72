"""What the lines of notes say beyond the tag: the run behind a model, its measurements, as of the event's commit."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from strata_git.contracts.layout import CHECKSUMS, METADATA, RUN_ID, RUN_RECORD
from strata_git.integrity import checksums
from strata_git.ledger.event import Event
from strata_git.ledger.gate_results import gate_results
from strata_git.ledger.statement import Made, statements
from strata_git.repo.command import Repository

_LIMIT = 1 << 20
_PARTS = ("config.yaml", "system.json", RUN_RECORD, CHECKSUMS)


def note_lines(repo: Repository, events: Iterable[Event], *, known: bool = False) -> dict[str, tuple[bytes, ...]]:
    """By tag object, the lines that each of `events` has in the notes; those that cannot be read have none.

    With `known` the lines too that such an event was given before gates were told in them: no stranger wrote those.
    Where a run cannot be read as its contract has it, there is no provenance: then too all who read the same commit
    come to the same lines.
    """
    listed = [event for event in events if event.record is not None]
    places = {event.oid: f"{event.target}:models/{event.record.model}/{event.record.version}"
              for event in listed if event.record}  # fmt: skip
    registered = {event.oid for event in listed if event.name.kind == "registration"}
    asked = [f"{place}/metrics.yaml" for place in places.values()]
    asked += [f"{places[oid]}/{METADATA}" for oid in registered]
    files = _read(repo, asked)
    runs = {oid: _run_of(files.get(f"{places[oid]}/{METADATA}")) for oid in registered}
    commits = {event.oid: event.target for event in listed}
    parts = _read(repo, [f"{commits[oid]}:runs/{run}/{name}" for oid, run in runs.items() if run for name in _PARTS])
    gates = gate_results(repo, listed)
    lines = {}
    for event in listed:
        run = runs.get(event.oid)
        made = _made(run, {name: parts.get(f"{event.target}:runs/{run}/{name}") for name in _PARTS}) if run else None
        metrics = files.get(f"{places[event.oid]}/metrics.yaml")
        digest = hashlib.sha256(metrics).hexdigest() if metrics is not None else None
        lines[event.oid] = statements(event, made, digest, gates.get(event.oid, ()))
        if known and event.oid in gates:
            lines[event.oid] = tuple(dict.fromkeys((*lines[event.oid], *statements(event, made, digest))))
    return lines


def _read(repo: Repository, names: Iterable[str]) -> dict[str, bytes]:
    rows = repo.objects.lookup(dict.fromkeys(names))
    return {name: row[2] for name, row in rows if row is not None and row[1] == "blob" and len(row[2]) <= _LIMIT}


def _run_of(metadata: bytes | None) -> str:
    run = _mapping(metadata).get("run")
    return run if isinstance(run, str) and RUN_ID.fullmatch(run) else ""


def _made(run: str, parts: dict[str, bytes | None]) -> Made | None:
    listed = parts[CHECKSUMS]
    spec, record = _mapping(parts["config.yaml"]), _mapping(parts[RUN_RECORD])
    system = _mapping(parts["system.json"], json=True)
    if listed is None or not (spec and record and system):
        return None
    try:
        sums = checksums.parse(listed)
    except checksums.ChecksumError:
        return None
    return Made(run, checksums.digest(listed), spec, system, record, sums)


def _mapping(data: bytes | None, *, json: bool = False) -> dict[str, object]:
    """What a document says, when it is a mapping; else nothing."""
    from strata_git.load import Unloadable, load_json, load_yaml

    if data is None:
        return {}
    try:
        value = (load_json if json else load_yaml)(data).value
    except Unloadable:
        return {}
    return value if isinstance(value, dict) else {}
