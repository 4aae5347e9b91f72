"""What a running service does when the ledger has something new to say. Pure.

The version that answers goes on answering while its successor is tried, and also where the successor is refused. It
ends where nothing vouches for it any more: no version is in the stage, the line of events cannot be built on, the
policy is broken, its own files are not those that its event signs, or somebody has taken it down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from strata_git.ledger.stages import EXPERIMENTAL

Deed = Literal["keep", "load", "withdraw"]


@dataclass(frozen=True, slots=True)
class Standing:
    """What the ledger says now about a reference.

    `event` is the tag object that put a version where it is meant, `version` that version; both `""` where `refused`
    says why nothing may be served by the reference. `stages` is the stage of every version of the model that the
    ledger can vouch for, `flaws` what is wrong with the files of those that were looked at.
    """

    event: str = ""
    version: str = ""
    refused: str = ""
    flaws: tuple[tuple[str, str], ...] = ()
    stages: tuple[tuple[str, str], ...] = ()

    def stage_of(self, version: str) -> str:
        """Where a version is; `""` where nothing vouches for it."""
        return dict(self.stages).get(version, "")

    def flaw_of(self, version: str) -> str:
        """What is wrong with the files of a version; `""`: nothing is known."""
        return dict(self.flaws).get(version, "")


@dataclass(frozen=True, slots=True)
class Serving:
    """What answers: the version and the event it was loaded by; both `""` where nothing does."""

    version: str = ""
    event: str = ""


def decide(standing: Standing, serving: Serving) -> tuple[Deed, str]:
    """What to do, and why: nothing, load what the ledger names (and swap if it passes), or answer no more."""
    if standing.refused:
        return "withdraw", standing.refused
    if standing.event == serving.event:
        flaw = standing.flaw_of(serving.version)
        return ("withdraw", flaw) if flaw else ("keep", "")
    return "load", ""


def may_stay(standing: Standing, serving: Serving, stage: str) -> bool:
    """Whether the version that answers may go on, when the one that the ledger names now was refused.

    It may where it was merely displaced (it is experimental then), or is in the `stage` that is served still (`""`: the
    version is served wherever it is). Whoever demotes or archives a version means that it answers no more; and one
    whose files were altered never goes on.
    """
    now = standing.stage_of(serving.version)
    there = now in (EXPERIMENTAL, stage) if stage else now != ""
    return bool(serving.version) and there and not standing.flaw_of(serving.version)
