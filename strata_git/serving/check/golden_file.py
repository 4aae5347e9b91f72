"""Whether there are golden predictions, and whether they are those of the version that answers."""

from __future__ import annotations

from collections.abc import Iterator

from strata_git.serving.checked import Subject, Verdict


def judge(subject: Subject) -> Iterator[Verdict]:
    """That they come out again, the gate has seen to."""
    project = subject.project
    golden, place = project.golden, f"{project.path}/{project.service.golden.file}"
    if golden is None:
        message = f"{place} is missing: nothing shows that the service answers rightly (STR-V004)"
        yield Verdict("golden", "warning", message, _again(subject))
    elif subject.loaded is None:
        yield Verdict("golden", "skipped", "the gate refused the model")
    elif not golden.is_for(subject.loaded.provenance.model, subject.loaded.provenance.version):
        message = f"{place} was made for {golden.model}, and models/{subject.loaded.provenance.reference} is served"
        yield Verdict("golden", "warning", message, _again(subject))


def _again(subject: Subject) -> str:
    return f"git strata service init {subject.project.name} --golden"
