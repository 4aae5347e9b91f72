"""Whether drift can be told: the split that requests are compared with is there, and requests are kept."""

from __future__ import annotations

from collections.abc import Iterator

from strata_git.serving.checked import Subject, Verdict


def judge(subject: Subject) -> Iterator[Verdict]:
    """Nothing is asked of a service that does not speak of drift."""
    from strata_git.errors import StrataError
    from strata_git.serving.splits import require_split

    drift = subject.project.service.drift
    if drift is None:
        yield Verdict("drift", "skipped", "service.yaml says nothing of drift")
        return
    if subject.loaded is None:
        yield Verdict("drift", "skipped", "the gate refused the model")
        return
    if not subject.project.service.log.enabled:
        yield Verdict("drift", "warning", "drift compares what was asked, and log.enabled is false: nothing is kept")
    try:
        require_split(subject.repo, subject.loaded.provenance, drift.split)
    except StrataError as error:
        yield Verdict("drift", "warning", error.message, error.hint)
