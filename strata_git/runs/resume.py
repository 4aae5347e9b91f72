"""Taking up the work that an earlier run left unfinished (TFC-0002 5.4): what it left, and that it was the same work.

The earlier run's record stays as it is. The new one has a number of its own and names it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strata_git.contracts.layout import CHECKSUMS, RUN_ID, RUN_RECORD
from strata_git.errors import StrataError, UsageError, printable
from strata_git.repo.command import Repository
from strata_git.runs import record
from strata_git.runs.inputs import Dataset, Input, cited_facts
from strata_git.runs.plugin import Plugin
from strata_git.runs.spec import RunSpec, load_spec, resolved

_FREE = ("tags", "resources")
"""Of a spec, what may differ: it does not change what is computed."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A run to be taken up: its id, its record's digest, the spec it had, and run.yaml's content."""

    id: str
    digest: str
    path: Path
    spec: RunSpec
    facts: Mapping[str, Any]

    @property
    def cited(self) -> dict[str, str]:
        """As the new run's record names it."""
        return {"ref": self.id, "digest": self.digest}


def open_earlier(repo: Repository, run: str) -> Earlier:
    """The record of `run` in the work tree, verified.

    Raises StrataError where there is none, it is not whole, or the run succeeded: then nothing is left to do.
    """
    from strata_git.integrity import checksums
    from strata_git.integrity.digest import sha256_directory
    from strata_git.load import Unloadable, load_yaml

    if not RUN_ID.fullmatch(run):
        raise UsageError(f"'{printable(run)}' is not a run.", hint="Name one such as run-2026-11-21-001.")
    place = repo.require_worktree() / "runs" / run
    if not place.is_dir():
        raise StrataError(f"There is no runs/{run} in the work tree.", hint="git strata list runs")
    try:
        data = (place / CHECKSUMS).read_bytes()
        listed = checksums.parse(data)
        facts = load_yaml((place / RUN_RECORD).read_bytes()).value
        config = (place / record.CONFIG).read_bytes()
    except (OSError, Unloadable, checksums.ChecksumError) as error:
        raise StrataError(f"runs/{run} cannot be read: {printable(str(error))}.") from None
    there = {path: sha256 for path, sha256, _ in sha256_directory(place, skip=checksums.EXCLUDED)}
    if there != listed or not isinstance(facts, dict):
        raise StrataError(f"runs/{run} is not what its {CHECKSUMS} says.", hint=f"git strata verify {run}")
    if facts.get("status") == "succeeded":
        raise StrataError(f"{run} has succeeded: there is nothing to take up.")
    return Earlier(run, checksums.digest(data), place, load_spec(config, file=f"runs/{run}/config.yaml"), facts)


def require_same_work(
    plugin: Plugin, earlier: Earlier, spec: RunSpec, source: Dataset | None, inputs: Mapping[str, Input]
) -> None:
    """Raise StrataError where `spec` is not the work that was begun, or its plugin cannot go on with what is there."""
    if not getattr(plugin, "resumable", False):
        raise StrataError(
            f"The plugin '{printable(spec.plugin)}' cannot take up unfinished work (it does not say `resumable`).",
            hint="Run the experiment anew, without --resume.",
        )
    before, now = resolved(earlier.spec), resolved(spec)
    other = [key for key in now if key not in _FREE and _fixed(key, before.get(key)) != _fixed(key, now[key])]
    if other:
        raise StrataError(
            f"{earlier.id} was other work: {', '.join(other)} of the experiment {'is' if len(other) == 1 else 'are'} "
            "not what its config.yaml says.",
            hint=f"git strata run --resume {earlier.id}   (without an experiment takes its config.yaml)",
        )
    read = {(one.get("ref"), one.get("digest")) for one in earlier.facts.get("inputs", ()) if isinstance(one, Mapping)}
    known = {(str(one["ref"]), str(one["digest"])) for one in cited_facts(source, inputs)}
    if changed := sorted(ref for ref, _ in known - read):
        raise StrataError(f"{earlier.id} read other data: {', '.join(changed)} is not what it was then.")


def _fixed(key: str, value: object) -> object:
    """A value of a spec without the number of a sweep's trials: more of them are other work, not another sweep."""
    if key != "sweep" or not isinstance(value, Mapping):
        return value
    return {name: one for name, one in value.items() if name != "trials"}


def copy_left(earlier: Earlier, target: Path) -> Path:
    """Copy what the earlier run left to `target`, so that nothing the plugin does can change its record."""
    from strata_git.integrity.digest import list_files
    from strata_git.repo.files import copy_file, unwritable

    source = earlier.path / record.ARTIFACTS
    try:
        target.mkdir(exist_ok=True)
        for name in list_files(source) if source.is_dir() else []:
            os.makedirs((target / name).parent, exist_ok=True)
            copy_file(source / name, target / name)
    except OSError as error:
        raise unwritable(target, error) from None
    return target
