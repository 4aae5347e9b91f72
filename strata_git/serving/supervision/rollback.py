"""Back to the version that a stage had before: new signed events, never a deletion. Running services follow them."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from strata_git.contracts.layout import STAGES, parse_reference
from strata_git.errors import StrataError, UsageError, printable
from strata_git.ledger.stages import TRANSITIONS

if TYPE_CHECKING:
    from strata_git.authoring.promote import Promotion
    from strata_git.config import Settings
    from strata_git.ledger.state import ModelState
    from strata_git.repo.command import Repository


@dataclass(frozen=True, slots=True)
class Return:
    """A rollback that is meant: `version` of `model` comes back to `stage` in place of `current` (`""`: none is there),
    by way of `stages`, the last of which is `stage`."""

    model: str
    stage: str
    current: str
    version: str
    stages: tuple[str, ...]


def plan_return(
    repo: Repository, settings: Settings, reference: str, version: str | None = None, *, now: datetime | None = None
) -> Return:
    """What going back means for a service that serves `reference` (`churn@production`); `version`: not the one before
    but this. Raises UsageError for a service of one version for ever, StrataError where there is nothing to go back to.
    """
    from strata_git.ledger.events import read_ledger

    asked = parse_reference(reference, kind="model")
    if asked.stage is None:
        raise UsageError(
            f"The service serves {printable(reference)}, whatever is promoted.",
            hint=f"Name another version in service.yaml, or serve {asked.name}@production",
        )
    ledger = read_ledger(repo, repository=settings.repository, model=asked.name, now=now)
    policy = ledger.trust.policy
    return planned(ledger.model(asked.name), asked.stage, version, policy.transitions if policy else None)


def planned(
    state: ModelState, stage: str, version: str | None = None, transitions: Collection[tuple[str, str]] | None = None
) -> Return:
    """The same from a model's state. Pure."""
    entered = _entered(state, stage)
    held = [name for name in dict.fromkeys(entered) if state.versions[name].stage == stage]
    current = next((name for name in reversed(entered) if name in held), "")
    if version is None:
        version = next((name for name in reversed(entered) if name != current), "")
        if not version:
            raise StrataError(
                f"No version of {printable(state.model)} was in {stage} before"
                f"{f' {current}' if current else ''}: there is nothing to go back to.",
                hint=f"git strata history {state.model}",
            )
    elif version not in state.versions:
        known = ", ".join(state.versions) or "none"
        raise StrataError(
            f"No event names {printable(version)} of {printable(state.model)}.", hint=f"There is: {known}"
        )
    if version == current:
        raise StrataError(f"{state.model}@{version} is what {stage} has already.", hint="git strata stages")
    origin = state.versions[version].stage
    way = _way(origin, stage, TRANSITIONS if transitions is None else transitions)
    if way is None:
        raise StrataError(
            f"{state.model}@{version} is {origin}, and nothing leads from there to {stage}.",
            hint=f"git strata history {state.model}; --to vN chooses another version",
        )
    return Return(state.model, stage, current, version, way)


def go_back(repo: Repository, settings: Settings, meant: Return, *, reason: str, **options: Any) -> list[Promotion]:
    """Make the moves, each by `authoring.promote` with all that it asks for; `options` are those of `promote`.

    Raises as `promote`. A first move stays where the second is refused: the version waits in its stage then.
    """
    from strata_git.authoring.promote import promote

    return [
        promote(repo, settings, meant.model, meant.version, stage, reason=reason, **options) for stage in meant.stages
    ]


def _entered(state: ModelState, stage: str) -> list[str]:
    """The versions that came into the stage, in the order in which they came."""
    records = [step.entering.record for step in state.steps]
    return [one.version for one in records if one is not None and one.target == stage and one.version in state.versions]


def _way(origin: str, target: str, transitions: Collection[tuple[str, str]]) -> tuple[str, ...] | None:
    """The fewest moves from one stage to the other; None where there is no way. Nothing is archived on the way."""
    paths: deque[tuple[str, ...]] = deque([()])
    seen = {origin}
    while paths:
        path = paths.popleft()
        at = path[-1] if path else origin
        for stage in STAGES:
            if (at, stage) not in transitions or stage in seen or stage == "archived":
                continue
            if stage == target:
                return (*path, stage)
            seen.add(stage)
            paths.append((*path, stage))
    return None
