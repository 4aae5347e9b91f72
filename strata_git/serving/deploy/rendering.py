"""A deployment's files for one target, byte for byte the same whenever the same goes in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from strata_git.load import dump_yaml
from strata_git.serving.deploy import compose, kserve, kustomize, ray
from strata_git.serving.deploy.manifest import Deployment

Documents = dict[str, list[dict[str, Any]]]
_RENDERERS: Mapping[str, tuple[Callable[[Deployment], Documents], Callable[[Deployment], list[str]]]] = {
    "compose": (compose.rendered, compose.notes),
    "kustomize": (kustomize.rendered, kustomize.notes),
    "kserve": (kserve.rendered, kserve.notes),
    "ray": (ray.rendered, ray.notes),
}
TARGETS = tuple(_RENDERERS)
MARK = "Written by git strata service deploy"
"""In the first line of every file."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """What is written for one target: documents by file, and what is worth knowing beside them."""

    target: str
    documents: Mapping[str, list[dict[str, Any]]]
    notes: tuple[str, ...]
    head: str

    @property
    def files(self) -> dict[str, bytes]:
        """Path below the directory -> bytes."""
        return {name: self._text(found) for name, found in sorted(self.documents.items())}

    def _text(self, documents: list[dict[str, Any]]) -> bytes:
        return f"# {self.head}\n".encode() + b"---\n".join(dump_yaml(one) for one in documents)


def render(target: str, deployment: Deployment) -> Rendering:
    """The files of `target`, one of TARGETS. Raises StrataError for what the target cannot do and must."""
    rendered, notes = _RENDERERS[target]
    made = rendered(deployment)
    head = (
        f"{deployment.name} answers with {deployment.provenance.reference}. {MARK} --target {target}: what is changed "
        "here is lost the next time."
    )
    return Rendering(target, made, tuple(notes(deployment)), head)
