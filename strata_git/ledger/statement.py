"""An event as an in-toto Statement v1, one JSON line for `refs/notes/strata` (TFC-0009 §5). Pure.

The line follows from the event's tag alone, so notes can be rebuilt at any time and appended to twice without harm.
"""

from __future__ import annotations

from strata_git.ledger.event import Event
from strata_git.load import canonical_json

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "git-strata:promotion/v1"


def statement(event: Event) -> bytes:
    """The line, without a line feed. Raises ValueError for an event without a record."""
    record = event.record
    if record is None:
        raise ValueError(f"{event.tag} has no record")
    return canonical_json({
        "_type": STATEMENT,
        "subject": [{
            "name": f"models/{record.model}/{record.version}",
            "digest": {"gitCommit": record.commit, "sha256": record.digest.removeprefix("sha256:")},
        }],
        "predicateType": PREDICATE,
        "predicate": {"tag": event.tag, "tagObject": event.oid, "record": record.as_json()},
    })  # fmt: skip
