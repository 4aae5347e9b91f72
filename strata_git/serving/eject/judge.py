"""A check of services: whether the ejected form that lies beside one still is whole, its stubs those of its .proto."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from strata_git.serving.checked import Subject, Verdict
from strata_git.serving.eject.tree import DIRECTORY, MODEL, RECORD, judge_ejected, read_ejected


def judge(subject: Subject) -> Iterator[Verdict]:
    """Errors for what no longer fits together; a warning where it answers with another version than the service."""
    from strata_git.load import load_json

    place = f"{subject.project.path}/{DIRECTORY}"
    files = read_ejected(subject.project.directory / DIRECTORY)
    if files is None:
        return
    wrong = judge_ejected(files)
    for one in wrong:
        yield Verdict("ejected", "error", f"{place}: {one}", f"git strata service eject {subject.project.name} --out …")
    if wrong or subject.loaded is None:
        return
    said: Any = load_json(files[f"{MODEL}/{RECORD}"]).value  # an object: it was judged
    now, its = subject.loaded.provenance.reference, said.get("provenance")
    if not isinstance(its, dict) or its.get("strata-model") != now:
        yield Verdict("ejected", "warning", f"{place}: it answers with another version than {now}")
