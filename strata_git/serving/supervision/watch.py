"""What the ledger says of a reference, asked again and again for as long as a service lives.

A question costs two short git commands while nothing changed that the answer follows from: references, keys, settings,
pins, HEAD (`ledger.remembered`). It is asked anew at least every hour, because keys and approvals expire by themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from strata_git.errors import StrataError
from strata_git.serving.supervision.decision import Standing

if TYPE_CHECKING:
    from strata_git.config import Settings
    from strata_git.ledger.moves import Placement
    from strata_git.repo.command import Repository

Now = Callable[[], datetime | None]
_NONE: Mapping[str, str] = MappingProxyType({})


class Watch:
    """Asks in a thread of its own, about the repository around `root`."""

    def __init__(self, root: Path, environ: Mapping[str, str], references: Sequence[str], *, now: Now = lambda: None):
        self._root = root
        self._environ = environ
        self._references = tuple(dict.fromkeys(references))
        self._now = now
        self._key = ""
        self._thread = ThreadPoolExecutor(1, "strata-watch")

    async def ask(self, *, again: bool = False, also: Mapping[str, str] = _NONE) -> dict[str, Standing] | None:
        """The standing of every reference; None where nothing has changed since the last answer, unless asked `again`.

        `also` are versions that answer by a reference: their files are looked at, too. Raises StrataError where git
        cannot be asked.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._asked, again, dict(also))

    def close(self) -> None:
        """Ask no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _asked(self, again: bool, also: Mapping[str, str]) -> dict[str, Standing] | None:
        from strata_git.ledger.remembered import answer_key
        from strata_git.repo.command import Repository

        repo = Repository.discover(self._root, self._environ)
        try:
            key = answer_key(repo, ["service", *self._references], now=self._now())
            if key == self._key and not again:
                return None
            settings = read_settings(repo)
            told = {
                one: standing_of(repo, settings, one, also=also.get(one, ""), now=self._now())
                for one in self._references
            }
            self._key = key
            return told
        finally:
            repo.close()


def read_settings(repo: Repository) -> Settings:
    """strata.yaml as the work tree has it."""
    from strata_git.config import load_settings
    from strata_git.repo.worktree import read_plain

    return load_settings(read_plain(repo, "strata.yaml"))


def standing_of(
    repo: Repository, settings: Settings, reference: str, *, also: str = "", now: datetime | None = None
) -> Standing:
    """What the ledger says of a reference; the files of the version it means, and of the version `also`, looked at.

    Raises StrataError where git cannot be asked.
    """
    from strata_git.serving.gate import NotServed, current_placement

    try:
        ledger, placed = current_placement(repo, settings, reference, now=now)
    except NotServed as error:
        return Standing(refused=error.steps[-1].message)
    versions = ledger.model(placed.since.name.model).versions
    stages = tuple((name, one.stage) for name, one in versions.items())
    looked_at = [versions[name] for name in dict.fromkeys((placed.version, also)) if name in versions]
    flaws = tuple((one.version, _flaw(repo, one)) for one in looked_at)
    return Standing(placed.since.oid, placed.version, flaws=flaws, stages=stages)


def _flaw(repo: Repository, placed: Placement) -> str:
    from strata_git.serving.released import open_release, require_unaltered

    if placed.since.record is None:
        return "its event has no record"
    try:
        require_unaltered(repo, open_release(repo, placed.since.record))
    except StrataError as error:
        return error.message
    return ""
