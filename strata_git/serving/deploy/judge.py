"""A check of services: whether the manifests that lie beside one are what their readers take, and of which version."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from strata_git.errors import MissingExtra, StrataError
from strata_git.load import Unloadable, load_yaml
from strata_git.serving.checked import Subject, Verdict
from strata_git.serving.deploy.rendering import TARGETS
from strata_git.serving.deploy.schemas import judge_document

DIRECTORY = "deploy"
"""Below a service's directory: where its manifests go unless another place is named."""
_MOST = 1 << 20


def judge(subject: Subject) -> Iterator[Verdict]:
    """Errors for manifests that their readers do not take, a warning where they are of another version than is served.

    Another version of the name may be a canary's, which is as it should be.
    """
    for target in TARGETS:
        place = subject.project.directory / DIRECTORY / target
        named: set[str] = set()
        for path in _manifests(place):
            name = f"{subject.project.path}/{DIRECTORY}/{path.relative_to(place.parent).as_posix()}"
            try:
                for document in _documents(path):
                    named |= _versions(document)
                    for told in judge_document(target, document):
                        yield Verdict("manifests", "error", f"{name}: {told}", _again(subject, target))
            except Unloadable as error:
                yield Verdict("manifests", "error", f"{name}: {error}", _again(subject, target))
            except MissingExtra:
                raise
            except StrataError as error:
                yield Verdict("manifests", "skipped", f"{name}: {error.message}", error.hint)
        now = subject.loaded.provenance.reference if subject.loaded is not None else ""
        if named and now and now not in named:
            message = f"{subject.project.path}/{DIRECTORY}/{target}: is of {', '.join(sorted(named))}, {now} is served"
            yield Verdict("manifests", "warning", message, _again(subject, target))


def _manifests(place: Path) -> list[Path]:
    if place.is_symlink() or place.parent.is_symlink() or not place.is_dir():
        return []
    return sorted(path for path in place.rglob("*.yaml") if path.is_file() and not path.is_symlink())


def _documents(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as stream:
        data = stream.read(_MOST + 1)
    for text in data.split(b"\n---\n"):
        value = load_yaml(text, limit=_MOST).value
        if not isinstance(value, dict):
            raise Unloadable("holds no mapping")
        yield value


def _versions(document: Any) -> set[str]:
    """What the annotations, labels and variables of a manifest call the model."""
    if isinstance(document, list):
        return {one for part in document for one in _versions(part)}
    if not isinstance(document, dict):
        return set()
    own = {str(document[name]) for name in ("strata-model", "strata.model", "STRATA_MODEL") if name in document}
    return own | {one for part in document.values() for one in _versions(part)}


def _again(subject: Subject, target: str) -> str:
    return f"git strata service deploy {subject.project.name} --target {target} --image …"
