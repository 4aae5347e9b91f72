"""The versions that a rollback may come back to: HEAD has them as their events sign them, or not at all."""

from __future__ import annotations

from collections.abc import Iterator

from strata_git.contracts.layout import parse_reference
from strata_git.errors import StrataError
from strata_git.serving.checked import Subject, Verdict
from strata_git.serving.released import open_release, require_unaltered


def judge(subject: Subject) -> Iterator[Verdict]:
    """An error for every version of the model that was altered after its release; the gate tells of the one served."""
    from strata_git.ledger.events import read_ledger

    repo, model = subject.repo, parse_reference(subject.project.service.model, kind="model").name
    ledger = read_ledger(repo, repository=subject.settings.repository, model=model, now=subject.now)
    served = subject.loaded.provenance.version if subject.loaded is not None else ""
    for version, placed in ledger.model(model).versions.items():
        if version == served or placed.since.record is None:
            continue
        try:
            require_unaltered(repo, open_release(repo, placed.since.record))
        except StrataError as error:
            yield Verdict("versions", "error", f"{model}@{version}, {placed.stage}: {error.message}", error.hint)
