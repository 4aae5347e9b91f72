"""What a report on a change says, as plain frozen values. Pure.

Nothing here is escaped or shortened; each renderer does that for its own reader.
"""

from __future__ import annotations

from dataclasses import dataclass
from sys import float_info

from strata_git.doctor.verdict import Verdict
from strata_git.index.records import Introduction, StageRecord
from strata_git.integrity.metric_gates import Figure


@dataclass(frozen=True, slots=True)
class Change:
    """One artifact that is not the same on both sides.

    `how` is `added`, `removed`, `changed` (other content) or `signed` (the same content, other signatures). `bytes` and
    `files` are those of the side that has it; `signers` who vouches for it there, with the state of each signature.
    """

    reference: str
    kind: str
    how: str
    description: str = ""
    files: int = 0
    bytes: int = 0
    digest: str | None = None
    signers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Measured:
    """One metric of one version beside that of the version it is compared with.

    `before` is None where `against` (a reference, `""`: nothing to compare with) does not have the metric.
    """

    reference: str
    kind: str
    metric: str
    figure: Figure
    against: str = ""
    role: str = ""
    before: Figure | None = None

    @property
    def delta(self) -> float | None:
        """By how much the figure differs from the other one, as the decimal numbers that people wrote."""
        if self.before is None:
            return None
        from decimal import Decimal

        apart = Decimal(repr(self.figure.value)) - Decimal(repr(self.before.value))
        return max(-float_info.max, min(float_info.max, float(apart)))

    @property
    def verdict(self) -> str:
        """`new`, `same`, `better`, `tolerated` (worse, within the metric's own tolerance), `worse`, `unclear`."""
        change, other = self.delta, self.before
        if change is None or other is None:
            return "new"
        if change == 0:
            return "same"
        direction = self.figure.direction
        if direction not in ("higher", "lower") or direction != other.direction:
            return "unclear"
        if (change > 0) == (direction == "higher"):
            return "better"
        return "tolerated" if abs(change) <= self.figure.tolerance else "worse"


@dataclass(frozen=True, slots=True)
class Gated:
    """One gate held against one model version; `why` says why it does not pass (None: it does)."""

    reference: str
    gate: str
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something about an artifact that breaks no rule and that whoever takes it in should know.

    `topic` is `leakage`, `dirty`, `missing`, `differs`, `failed` or `unmeasured`.
    """

    topic: str
    reference: str
    message: str


@dataclass(frozen=True, slots=True)
class Series:
    """One metric of one name over its versions, oldest first; `unit` is `direction` of the last one."""

    name: str
    metric: str
    direction: str
    points: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Size:
    """What comes in: files and bytes that the other side has under no name, and how much of it Git LFS stores."""

    files: int = 0
    bytes: int = 0
    lfs_files: int = 0
    lfs_bytes: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """All about the change from `base` to `head` (full commit ids; `fork` is where they parted).

    `gated` is empty where no gate was asked for; `measured` are in the order of the changes.
    """

    base: str
    head: str
    fork: str
    verdict: Verdict
    changes: tuple[Change, ...] = ()
    measured: tuple[Measured, ...] = ()
    gated: tuple[Gated, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    series: tuple[Series, ...] = ()
    events: tuple[StageRecord, ...] = ()
    commits: tuple[Introduction, ...] = ()
    size: Size = Size()
    notes: tuple[str, ...] = ()

    @property
    def failed_gates(self) -> tuple[Gated, ...]:
        """The gates that do not pass."""
        return tuple(each for each in self.gated if each.why is not None)

    def exit_code(self, *, strict: bool = False) -> int:
        """2: a gate does not pass or the doctor finds errors; 1: warnings, doubts, or a model that is worse; else 0.

        Under `strict` 1 becomes 2. A run may measure whatever it does.
        """
        judged = self.verdict.exit_code(strict=strict)
        if self.failed_gates or judged == 2:
            return 2
        worse = any(each.verdict == "worse" and each.kind == "model" for each in self.measured)
        if judged or self.doubts or worse:
            return 2 if strict else 1
        return 0
