"""Every other version that the service sends requests to passes the gate as well."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from strata_git.serving.checked import Subject, Verdict
from strata_git.serving.gate import NotServed, open_model
from strata_git.serving.loading import close_model
from strata_git.serving.project.project import demands


def judge(subject: Subject) -> Iterator[Verdict]:
    """One verdict a route; its columns must be those of the model itself."""
    asked = demands(subject.project)
    for route in subject.project.service.routes:
        told = f"{route.mode} {route.model}"
        try:
            loaded = open_model(
                subject.repo, subject.settings, route.model, demands=replace(asked, golden=None), now=subject.now
            )
        except NotServed as error:
            yield Verdict("routes", "error", f"{told}: {error.message}", error.hint)
            continue
        close_model(loaded.model)
        if subject.loaded is not None and loaded.model.signature != subject.loaded.model.signature:
            yield Verdict("routes", "error", f"{told} has other columns than {subject.project.service.model}")
        else:
            yield Verdict("routes", "passed", f"{told} is {loaded.provenance.reference}")
