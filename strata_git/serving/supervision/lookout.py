"""What the ledger says of several followers' references; that it cannot be asked is said once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from strata_git.errors import StrataError
from strata_git.serving.supervision.following import Follower, Say

if TYPE_CHECKING:
    from strata_git.serving.supervision.decision import Standing
    from strata_git.serving.supervision.watch import Watch


class Lookout:
    """Asks a watch. `trouble` is why it could not the last time (`""`: it could); `restless`: ask it anew, whatever it
    remembers, because what answered has changed."""

    def __init__(self, watch: Watch, say: Say) -> None:
        self._watch = watch
        self._say = say
        self.trouble = ""
        self.restless = False

    async def ask(self, followers: Sequence[Follower[Any]], *, again: bool = False) -> dict[str, Standing]:
        """The standing of every reference; empty where nothing has changed since the last answer, and in trouble."""
        also = {one.reference: one.serving.version for one in followers if one.serving.version}
        restless, self.restless = self.restless, False
        again = again or restless or any(one.is_due for one in followers)
        try:
            standings = await self._watch.ask(again=again, also=also)
        except StrataError as error:
            if self.trouble != error.message:
                self._say("error", f"the ledger cannot be asked: {error.message}")
            self.trouble = error.message
            self.restless = self.restless or restless
            return {}
        self.trouble = ""
        return standings or {}

    def close(self) -> None:
        """Ask no more."""
        self._watch.close()
