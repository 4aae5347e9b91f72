"""What a function is called with, as an order: which chain, over which documents.

    {"chain": "chains/x.yaml", "set": ["concurrency=2"], "tags": {"team": "a"}, "dry_run": false}
    an event of S3, as the bucket or EventBridge sends it: the chain that the function is made for, over that object
    a scheduled event of EventBridge: that chain over all of its documents; one of your own: an order in `detail`

Who may call the function is not who may change it: an order changes the chain, never the settings of the workspace,
by which secrets and documents could be sent elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote_plus

from strata_git.contracts.pipeline import SECTIONS
from strata_git.errors import UsageError, printable

_WORDS = frozenset({"chain", "set", "tags", "dry_run"})
_CREATED = ("ObjectCreated:", "Object Created")
_HINT = '{"chain": "chains/NAME.yaml", "set": [], "tags": {}, "dry_run": false}'


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be done. `objects` are bucket and key of what came to be (none: all that the chain selects)."""

    chain: str
    changes: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False
    objects: tuple[tuple[str, str], ...] = ()


def ordered(event: object, chain: str = "") -> Order | None:
    """The order in an event; `chain` is the function's own. None for an event that asks for nothing.

    Raises UsageError for one that cannot be meant.
    """
    if not isinstance(event, Mapping):
        raise UsageError("The event is no JSON object.", hint=_HINT)
    if event.get("Event") == "s3:TestEvent":
        return None
    if "Records" in event:
        return _created(_listed(event["Records"]), chain)
    if "detail-type" in event:
        return _bridged(event, chain)
    return _said(event, chain)


def is_unheard(event: object) -> bool:
    """Whether nobody but the platform hears what comes of an event, however wrong it is."""
    return isinstance(event, Mapping) and ("Records" in event or "detail-type" in event)


def _said(event: Mapping[str, Any], chain: str) -> Order:
    unknown = sorted(str(word) for word in set(event) - _WORDS)
    if unknown:
        raise UsageError(f"The event has an unknown '{printable(unknown[0])}'.", hint=_HINT)
    changes, tags, dry_run = event.get("set", []), event.get("tags", {}), event.get("dry_run", False)
    if not isinstance(changes, list) or not all(isinstance(one, str) for one in changes):
        raise UsageError("The event's set is a list of texts, NAME=VALUE each.", hint=_HINT)
    for one in changes:
        if one.strip().partition(".")[0].partition("=")[0].strip() in (*SECTIONS, "inputs"):
            raise UsageError(
                f"The event's set may not change {printable(one.partition('=')[0])}.",
                hint="Settings and sources are the function's: strata.yaml, or its variables STRATA_A__B__C.",
            )
    if not isinstance(tags, Mapping) or not all(isinstance(part, str) for pair in tags.items() for part in pair):
        raise UsageError("The event's tags are names and texts.", hint=_HINT)
    if not isinstance(dry_run, bool):
        raise UsageError("The event's dry_run is true or false.", hint=_HINT)
    return Order(_file(event.get("chain", chain)), tuple(changes), dict(tags), dry_run)


def _file(chain: object) -> str:
    """A file below chains/."""
    if not isinstance(chain, str) or not chain:
        raise UsageError("Which chain?", hint="The event's chain, or the function's variable STRATA_CHAIN.")
    parts = PurePosixPath(chain).parts
    if len(parts) < 2 or parts[0] != "chains" or ".." in parts or "\0" in chain:
        raise UsageError(f"{printable(chain)} is not below chains/.", hint=_HINT)
    return "/".join(parts)


def _created(records: Sequence[Mapping[str, Any]], chain: str) -> Order | None:
    """Notifications of a bucket. Keys are quoted as in a form (AWS: event message structure)."""
    found = []
    for record in records:
        if record.get("eventSource") != "aws:s3":
            raise UsageError(f"Nobody here takes events of {printable(str(record.get('eventSource')))}.", hint=_HINT)
        if str(record.get("eventName", "")).startswith(_CREATED):
            found.append(_object(record.get("s3"), quoted=True))
    return Order(_file(chain), objects=tuple(found)) if found else None


def _bridged(event: Mapping[str, Any], chain: str) -> Order | None:
    """Events of EventBridge, which does not quote keys."""
    kind, detail = event["detail-type"], event.get("detail")
    if event.get("source") == "aws.s3":
        created = str(kind).startswith(_CREATED)
        found = (_object(detail, quoted=False),) if created else ()
        return Order(_file(chain), objects=found) if found else None
    if event.get("source") in ("aws.events", "aws.scheduler"):
        return Order(_file(chain))
    return _said(detail if isinstance(detail, Mapping) else {}, chain)


def _object(said: object, *, quoted: bool) -> tuple[str, str]:
    try:
        bucket, key = said["bucket"]["name"], said["object"]["key"]  # type: ignore[index]
    except (KeyError, TypeError):
        raise UsageError("The event of S3 names no bucket and key.") from None
    if not isinstance(bucket, str) or not isinstance(key, str):
        raise UsageError("The event of S3 names no bucket and key.")
    return bucket, unquote_plus(key) if quoted else key


def _listed(value: object) -> Sequence[Mapping[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise UsageError("The event's Records are no list of objects.", hint=_HINT)
    return value
