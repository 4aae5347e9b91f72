"""A backend that answers, and needs nothing."""

from __future__ import annotations

from strata_git.serving.backends.in_process import InProcess
from tests.serving.stand_ins import Fake, provenance


def backed(version: str = "v1") -> InProcess:
    """As if that version were loaded."""
    return InProcess(Fake(), provenance(version))
