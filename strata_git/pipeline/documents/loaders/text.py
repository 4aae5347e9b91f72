"""Plain text and markdown."""

from __future__ import annotations

from strata_git.pipeline.documents.blob import Blob
from strata_git.pipeline.documents.document import Loaded
from strata_git.pipeline.documents.encoding import decoded
from strata_git.pipeline.documents.limits import Limits


def load(blob: Blob, limits: Limits, *, markdown: bool = False) -> Loaded:
    """The text as it is; `markdown`: it is that."""
    found = decoded(blob.content(limits))
    return Loaded(found.text, markdown, {"encoding": found.encoding}, found.notes)
