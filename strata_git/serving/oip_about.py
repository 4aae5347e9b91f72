"""Which version a model-service answers with, told beside the protocol: in the trailing metadata of ServerMetadata."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from strata_git.errors import StrataError
from strata_git.serving.columns import Signature, signature_json, signature_of
from strata_git.serving.provenance import Provenance, read_provenance

KEY = "strata-about-bin"


def metadata(provenance: Provenance, signature: Signature) -> tuple[tuple[str, bytes], ...]:
    """What goes with the answer."""
    told = {"provenance": provenance.as_json(), "signature": signature_json(signature)}
    return ((KEY, json.dumps(told).encode()),)


def read_metadata(pairs: Iterable[tuple[str, Any]]) -> tuple[Provenance, Signature]:
    """The same, read. Raises StrataError where it is not there, or is something else."""
    data = next((value for key, value in pairs if key == KEY), b"")
    try:
        said = json.loads(data)
        return read_provenance(said["provenance"]), signature_of(said)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise StrataError("What answers there is no model-service of ours.") from None
