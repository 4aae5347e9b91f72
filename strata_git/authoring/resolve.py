"""Healing a line of events that forked: one signed event that follows all of its ends (TFC-0009 3.8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from strata_git.authoring.entries import entering
from strata_git.authoring.promote import mark_seen, noted_events, require_head
from strata_git.config import Settings
from strata_git.errors import StrataError, printable
from strata_git.ledger.event import Event, LedgerComplaint, errors
from strata_git.ledger.events import read_ledger
from strata_git.ledger.governed import judge_new, writing_keys
from strata_git.ledger.healing import Echo, Healing, heal
from strata_git.ledger.moves import Placement
from strata_git.ledger.signing import Verifier, signer_for
from strata_git.ledger.stages import EXPERIMENTAL
from strata_git.ledger.state import ModelState
from strata_git.ledger.writing import Author, Draft, write_events
from strata_git.repo.command import Repository


@dataclass(frozen=True, slots=True)
class Resolution:
    """What was recorded: how the fork was healed, and the events, a resolution and its echoes."""

    model: str
    healing: Healing
    events: tuple[Event, ...]
    unnoted: str = ""


def resolve(
    repo: Repository,
    settings: Settings,
    model: str,
    keep: str = "",
    *,
    reason: str = "",
    key: str = "",
    terminal: str | None = None,
    now: datetime | None = None,
    verifier: Verifier | None = None,
) -> Resolution:
    """Make the line of `model` one again.

    What only one line did is kept; where two differ, the claims of the line hold that ends in the tag `keep` (default:
    the end that `refs/strata/ledger/` records). Raises StrataError where the line doesn't fork, `keep` is none of its
    ends, or more is wrong with it than that.
    """
    moment = now or datetime.now(UTC)
    head = require_head(repo, settings)
    ledger = read_ledger(repo, verifier, repository=settings.repository, model=model, now=moment)
    state = ledger.model(model)
    healing = heal(state, _kept(state, keep, ledger.heads.get(model)))
    trust = ledger.trust
    signer = signer_for(repo, key=key, configured=settings.signing_key, terminal=terminal)
    policy = trust.policy.digest if trust.policy else None
    keys = verifier or writing_keys(repo, trust)
    author = Author(signer, keys, settings.repository, head, moment, reason, policy)

    def allowed(written: tuple[Event, ...]) -> None:
        if told := judge_new(repo, trust, state, written, ledger.approvals, now=int(moment.timestamp())):
            raise StrataError(f"The trust policy does not let you resolve {model}.", hint=_told(told))

    recorded, kept = ledger.heads.get(model), healing.kept
    enter = entering(repo, trust, f"the line of {model} is made one", signer=signer, now=moment)
    events = write_events(
        repo, state, _drafts(healing), author, recorded=recorded, behind=kept, judge=allowed, enter=enter
    )
    unnoted = noted_events(repo, [*state.events, *events])
    mark_seen(repo, verifier, settings.repository, model, moment)
    return Resolution(model, healing, events, unnoted)


def _kept(state: ModelState, keep: str, recorded: str | None) -> Event:
    ends = [event for event in state.events if event.oid in state.heads]
    if len(ends) < 2:
        raise StrataError(
            f"The events of {printable(state.model)} form one line; there is nothing to resolve.",
            hint=f"git strata history {printable(state.model)}",
        )
    if others := [complaint for complaint in errors(state.complaints) if complaint.rule != "STR-P007"]:
        raise StrataError(f"More is wrong with the events of {state.model} than a fork.", hint=_told(others))
    named = [event for event in ends if keep in (event.tag, event.oid)]
    if keep and not named:
        raise StrataError(
            f"'{printable(keep)}' is none of the last events of {state.model}.",
            hint="One of these: " + ", ".join(event.tag for event in ends),
        )
    return named[0] if named else next((event for event in ends if event.oid == recorded), ends[0])


def _told(complaints: Sequence[LedgerComplaint]) -> str:
    return "\n".join(f"{each.rule} {each.tag}: {each.message}" for each in complaints)


def _drafts(healing: Healing) -> list[Draft]:
    record = healing.kept.record
    assert record is not None  # noqa: S101 - heal() has seen it
    stage = healing.versions[record.version].stage
    first = _draft(healing.versions[record.version], stage, stage)
    joined = Draft(
        first.version, stage, stage, first.commit, first.tree, first.digest, merges=healing.others
    )  # fmt: skip
    return [joined, *(_echo(echo, healing.versions[echo.version]) for echo in healing.echoes)]


def _echo(echo: Echo, placed: Placement) -> Draft:
    return _draft(placed, echo.stage, EXPERIMENTAL if echo.leaving else echo.stage, leaving=echo.leaving)


def _draft(placed: Placement, origin: str, target: str, *, leaving: bool = False) -> Draft:
    source = placed.registration or placed.since
    record = source.record
    assert record is not None  # noqa: S101 - a version is placed by events that could be read
    return Draft(placed.version, origin, target, record.commit, record.tree, record.digest, leaving)
