"""Whether what answers has the packages that the model was made with: what its run wrote down, what is here, and what
the service's own code asks for. Different versions of scikit-learn are the commonest reason for wrong answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from strata_git.errors import StrataError, printable
from strata_git.serving.checked import Subject, Verdict
from strata_git.serving.project.project import CODE

REQUIREMENTS = "requirements.txt"
_PINNED = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*==\s*([A-Za-z0-9.+!_-]+)")
_NAMED = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_MATTER: Mapping[str, tuple[str, ...]] = {"skops": ("scikit-learn", "skops", "numpy"), "onnx": ()}
"""Format -> packages whose versions a model of that format depends on; an ONNX file carries its own version."""


def judge(subject: Subject) -> Iterator[Verdict]:
    """A warning for each package that differs."""
    if subject.loaded is None:
        yield Verdict("lock", "skipped", "the gate refused the model")
        return
    made_with = _of_run(subject, subject.loaded.provenance.run)
    if made_with is None:
        yield Verdict("lock", "skipped", "no run says what the model was made with")
        return
    locked, loose = _locked(subject)
    for name in loose:
        message = f"{subject.project.path}/{CODE}/{REQUIREMENTS}: {name} is not pinned (==)"
        yield Verdict("lock", "warning", message, f"{name}=={made_with[name]}" if name in made_with else "")
    for name, version in locked.items():
        if name in made_with and made_with[name] != version:
            message = f"{name} {version} is asked for, the model was made with {made_with[name]}"
            yield Verdict("lock", "warning", f"{subject.project.path}/{CODE}/{REQUIREMENTS}: {message}")
    here = _here()
    for name in _MATTER.get(subject.loaded.provenance.format, ()):
        if name in made_with and name in here and name not in locked and here[name] != made_with[name]:
            message = f"{name} {here[name]} is installed here, the model was made with {made_with[name]}"
            yield Verdict("lock", "warning", message, f"pip install '{name}=={made_with[name]}'")


def _of_run(subject: Subject, run: str) -> Mapping[str, str] | None:
    """Normalised name -> version, as the run's system.json has it."""
    from strata_git.load import Unloadable, load_json
    from strata_git.serving.released import open_run

    if not run:
        return None
    try:
        said = load_json(open_run(subject.repo, run).read("system.json")).value
    except (StrataError, Unloadable):
        return None
    found = said.get("packages") if isinstance(said, dict) else None
    if not isinstance(found, dict):
        return None
    return {_normal(name): version for name, version in found.items() if isinstance(version, str)}


def _locked(subject: Subject) -> tuple[dict[str, str], list[str]]:
    """The packages that the service's own code pins, and those it names without a version."""
    from strata_git.repo.worktree import read_plain

    data = read_plain(subject.repo, f"{subject.project.path}/{CODE}/{REQUIREMENTS}") or b""
    pinned, loose = {}, []
    for line in data.decode("utf-8", "replace").splitlines():
        text = line.partition("#")[0]
        if not text.strip() or text.lstrip().startswith("-"):
            continue
        if found := _PINNED.match(text):
            pinned[_normal(found[1])] = found[2]
        elif named := _NAMED.match(text):
            loose.append(_normal(printable(named[1])))
    return pinned, loose


def _here() -> Mapping[str, str]:
    import sys

    from strata_git.runs.system import packages

    return {_normal(name): version for name, version in packages(sys.path).items()}


def _normal(name: str) -> str:
    """PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()
