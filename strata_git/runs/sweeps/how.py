"""How a sweep is to be made."""

from __future__ import annotations

from dataclasses import dataclass, field

RECORDS = ("best", "all", "none")


@dataclass(frozen=True, slots=True)
class How:
    """Where and how trials are made, none of which changes what comes of them.

    `engine`, `jobs`, `scheduler`: see `sweeps.engine`. `records`: which trials leave a record of their own.
    `fail_fast`: stop at the first trial that fails. `recorded` comes to hold the ids of the trials' records.
    """

    engine: str = "loky"
    jobs: int | None = None
    scheduler: str = ""
    records: str = "best"
    fail_fast: bool = False
    recorded: list[str] = field(default_factory=list, compare=False)
