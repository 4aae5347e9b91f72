"""Adding the record of a run that was made again to runs/, under a number of its own."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from strata_git.contracts.layout import CHECKSUMS, RUN_RECORD
from strata_git.repo.command import Repository
from strata_git.runs.record import seal
from strata_git.runs.reproduce_record import Recorded
from strata_git.runs.reserve import publish, reserve


def keep_record(repo: Repository, made: Path, *, reproduces: Recorded, now: datetime | None = None) -> str:
    """Copy the finished record in `made` to runs/ with the next free id, and return that.

    run.yaml says which run it `reproduces`. As with every record one rename makes it visible, whole. Raises StrataError
    where the disk refuses; nothing remains then.
    """
    from strata_git.integrity.digest import list_files
    from strata_git.load import dump_yaml, load_yaml
    from strata_git.repo.files import copy_file, write_file

    reserved = reserve(repo, now or datetime.now(UTC))
    try:
        for name in list_files(made):
            if name in (CHECKSUMS, RUN_RECORD):
                continue
            target = reserved.record / name
            os.makedirs(target.parent, exist_ok=True)
            copy_file(made / name, target)
        facts = load_yaml((made / RUN_RECORD).read_bytes()).value
        assert isinstance(facts, dict)  # noqa: S101 - it was read back a moment ago
        earlier = {"ref": reproduces.id, "digest": reproduces.digest}
        write_file(reserved.record / RUN_RECORD, dump_yaml({**facts, "id": reserved.id, "reproduces": earlier}))
        seal(reserved.record)
        publish(reserved, repo.require_worktree())
        return reserved.id
    finally:
        reserved.release()
