"""What every place that predicts has in common, whether this process, another one, or somebody else's server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from strata_git.serving.columns import Signature, Table
from strata_git.serving.provenance import Provenance


class Backend(Protocol):
    """One loaded version of a model, somewhere. Several requests may be under way at once."""

    @property
    def signature(self) -> Signature:
        """Its columns."""

    @property
    def provenance(self) -> Provenance:
        """Which version it is and where it comes from."""

    async def predict(self, table: Table, *, timeout: float | None = None) -> Mapping[str, Any]:
        """Output -> array (rows, ...), as `local.Model.predict`; `timeout` in seconds travels along.

        Raises RequestError for rows the model refuses, PredictionError where it fails, Unanswered where no answer comes
        now: too many wait (429), nobody is there (503), the deadline passed (504).
        """

    async def ready(self) -> bool:
        """Whether it would answer now."""

    async def close(self) -> None:
        """Answer what is under way, take nothing more, give back what is held. A second time does nothing."""
