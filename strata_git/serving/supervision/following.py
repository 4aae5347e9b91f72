"""One reference, followed: what answers by it, its successors tried and taken in, and taken away when it must be."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Generic

from strata_git.contracts.layout import parse_reference
from strata_git.errors import StrataError
from strata_git.serving.supervision.decision import Serving, Standing, decide, may_stay
from strata_git.serving.supervision.opening import A, Opened, Opener, Verdicts, refusal_steps

if TYPE_CHECKING:
    from strata_git.serving.backends.backend import Backend

Put = Callable[["Backend | None", str], Awaitable[None]]
"""Puts a backend in place of the one before; None with the reason: nothing answers any more."""
Say = Callable[[str, str], None]
"""Takes a level (`info`, `warning`, `error`) and a line."""
FIRST_REST, LONGEST_REST = 5.0, 300.0
"""Seconds before what was refused is tried again though the ledger says nothing new: at first, and at most."""


@dataclass(slots=True)
class Condition:
    """How it stands: `reason` why nothing answers, or why the newest does not; `steps` the gate's last verdicts."""

    ready: bool = False
    reason: str = ""
    event: str = ""
    steps: Verdicts = ()


@dataclass(slots=True)
class _Refused:
    """The event that was refused last, and until when it is left alone."""

    event: str = ""
    until: float = 0.0
    rest: float = FIRST_REST


@dataclass(slots=True)
class Follower(Generic[A]):
    """Follows one reference by what `look` is told. `put` see `Put`; `clock` counts seconds."""

    reference: str
    opener: Opener[A]
    put: Callable[[A | None, str], Awaitable[None]]
    say: Say
    clock: Callable[[], float] = time.monotonic
    condition: Condition = field(default_factory=Condition)
    serving: Serving = field(default_factory=Serving)
    backend: A | None = None
    _refused: _Refused = field(default_factory=_Refused)

    @property
    def is_due(self) -> bool:
        """Whether something that was refused may be tried again."""
        return bool(self._refused.event) and self.clock() >= self._refused.until

    @property
    def _stage(self) -> str:
        return parse_reference(self.reference, kind="model").stage or ""

    async def start(self, *, wait: bool = False) -> None:
        """Load what the reference means. Raises what the opener raises; nothing answers then. What the gate says
        against it is waited for where it is to `wait`: a later look finds that it was put right."""
        try:
            opened = await self.opener.open(self.reference, tried=False)
        except StrataError as error:
            if not wait or not refusal_steps(error):
                raise
            await self.miss(f"{error.message}; it is waited for")
            self.condition.steps = refusal_steps(error)
            return
        await self._take(opened)

    async def look(self, standing: Standing, *, anew: bool = False) -> None:
        """Do what the ledger's standing asks for. `anew`: load again what answers already (its code has changed)."""
        deed, reason = decide(standing, self.serving)
        if deed == "withdraw":
            await self._withdraw(reason)
        elif deed == "load" or anew:
            await self._try(standing, anew)
        elif self._refused.event:  # the version that answers is the one that is meant again
            self._refused = _Refused()
            self.condition = replace(self.condition, reason="")

    async def fell(self, reason: str) -> None:
        """What answered has ended by itself: nothing answers until the next look."""
        self.backend, self.serving = None, Serving()
        await self.miss(reason)

    async def _try(self, standing: Standing, anew: bool) -> None:
        if not anew and standing.event == self._refused.event and self.clock() < self._refused.until:
            if self.backend is not None and not may_stay(standing, self.serving, self._stage):
                await self._withdraw(f"nothing vouches for {self.serving.version} any more")
            return
        try:
            opened = await self.opener.open(self.reference, tried=self.backend is not None)
        except StrataError as error:
            await self._spurned(standing, error)
            return
        except Exception as error:  # noqa: BLE001 - a full disk, code of anybody: what answers goes on
            await self._spurned(standing, StrataError(f"{self.reference} cannot be loaded: {type(error).__name__}"))
            return
        await self._take(opened)

    async def _take(self, opened: Opened[A]) -> None:
        provenance = opened.backend.provenance
        await self.put(opened.backend, "")
        self.backend = opened.backend
        self.serving = Serving(provenance.version, opened.event)
        self._refused = _Refused()
        self.condition = Condition(ready=True, event=opened.event, steps=opened.steps)
        for name, verdict, message in opened.steps:
            self.say("info", f"{name}: {verdict}{f', {message}' if message else ''}")
        self.say("info", f"{provenance.reference} ({provenance.stage}) answers, by {provenance.event}")

    async def _spurned(self, standing: Standing, error: StrataError) -> None:
        """What the ledger names was refused: the version before goes on where it may."""
        rest = min(self._refused.rest * 2, LONGEST_REST) if self._refused.event == standing.event else FIRST_REST
        self._refused = _Refused(standing.event, self.clock() + rest, rest)
        if self.backend is not None and not may_stay(standing, self.serving, self._stage):
            await self._withdraw(error.message)
        elif self.backend is not None:
            self.say("error", f"{error.message}; {self.serving.version} goes on answering")
            self.condition = replace(self.condition, reason=error.message)
        else:
            await self.miss(error.message)
        self.condition.steps = refusal_steps(error) or self.condition.steps

    async def _withdraw(self, reason: str) -> None:
        if self.backend is not None:
            self.say("error", f"{self.serving.version} answers no more: {reason}")
            self.backend, self.serving = None, Serving()
            await self._miss_quietly(reason)
        elif self.condition.reason != reason:
            await self.miss(reason)

    async def miss(self, reason: str) -> None:
        """Nothing answers, and nothing did: say why, where people look."""
        self.say("error", reason)
        await self._miss_quietly(reason)

    async def _miss_quietly(self, reason: str) -> None:
        await self.put(None, reason.rstrip("."))
        self.condition = Condition(reason=reason, steps=self.condition.steps)
