"""The high-water mark of this clone: the last events that were seen and found sound (TFC-0009 3.9).

`.git/strata/seen.json` is no cache. It is what tells a clone that events which were here are gone, when tags and the
chain's head were taken back together. It only moves forward; what can't be read is told and left as it is.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from strata_git.contracts.layout import NAME
from strata_git.ledger.state import LedgerState
from strata_git.repo.command import Repository

SCHEMA = "strata/seen/v1"
PLACE = "seen.json"
_LIMIT = 4 << 20
_OID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Seen:
    """By model, the number and the tag objects of the last events seen; `policy` is the version of the trust policy.

    `damage` says why the file cannot be read (`""`: it can, or there is none yet).
    """

    heads: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)
    policy: int = 0
    damage: str = ""


def read_seen(repo: Repository) -> Seen:
    """What was seen here before; nothing where there is no file."""
    path = repo.common_dir / "strata" / PLACE
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return Seen()
    except OSError as error:
        return Seen(damage=error.strerror or "it cannot be opened")
    try:
        with open(handle, "rb") as stream:
            data = stream.read(_LIMIT + 1)
    except OSError as error:
        return Seen(damage=error.strerror or "it cannot be read")
    return _parsed(data)


def record_seen(repo: Repository, state: LedgerState, *, policy: int = 0) -> bool:
    """Remember what `state` holds of models that are sound; False where the file is damaged and stays as it is.

    A model's mark moves only where everything that was seen before is still there. Raises StrataError when the file
    cannot be written.
    """

    def moved(before: Seen) -> Seen:
        heads, numbers = dict(before.heads), dict(before.numbers)
        for name, model in state.models.items():
            present = {event.oid for event in model.events}
            if model.sound and model.heads and present.issuperset(heads.get(name, ())):
                heads[name], numbers[name] = model.heads, model.next_seq - 1
        return Seen(heads, numbers, max(policy, before.policy))

    return _change(repo, moved)


def rewind_seen(repo: Repository, model: str, heads: tuple[str, ...], number: int) -> bool:
    """Set a model's mark back to `heads`: events of this clone that were never published give way to others.

    Without `heads` nothing was seen of the model. False where the file is damaged.
    """

    def moved(before: Seen) -> Seen:
        kept = {name: each for name, each in before.heads.items() if name != model}
        numbers = {name: each for name, each in before.numbers.items() if name != model}
        return Seen(
            kept | ({model: heads} if heads else {}), numbers | ({model: number} if heads else {}), before.policy
        )

    return _change(repo, moved)


def _change(repo: Repository, change: Callable[[Seen], Seen]) -> bool:
    from strata_git.repo.files import write_file

    with _locked(repo):
        before = read_seen(repo)
        if before.damage:
            return False
        after = change(before)
        if after != before:
            models = {
                name: {"seq": after.numbers[name], "heads": list(after.heads[name])} for name in sorted(after.heads)
            }
            value = {"schema": SCHEMA, "models": models, "policy": after.policy}
            write_file(repo.common_dir / "strata" / PLACE, json.dumps(value, indent=1).encode() + b"\n")
    return True


def _parsed(data: bytes) -> Seen:
    if len(data) > _LIMIT:
        return Seen(damage=f"it has more than {_LIMIT} bytes")
    try:
        value = json.loads(data)
        if value["schema"] != SCHEMA or value.keys() != {"schema", "models", "policy"}:
            return Seen(damage="it is not of the form that is written here")
        heads = {str(name): tuple(row["heads"]) for name, row in value["models"].items()}
        numbers = {str(name): row["seq"] for name, row in value["models"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Seen(damage="it is not of the form that is written here")
    oids = [oid for each in heads.values() for oid in each]
    plain = all(isinstance(oid, str) and _OID.fullmatch(oid) for oid in oids) and all(map(NAME.fullmatch, heads))
    counts = [*numbers.values(), value["policy"]]
    if not plain or not all(heads.values()) or not all(type(n) is int and n >= 0 for n in counts):
        return Seen(damage="it is not of the form that is written here")
    return Seen(heads, numbers, value["policy"])


@contextmanager
def _locked(repo: Repository) -> Iterator[None]:
    directory = repo.common_dir / "strata"
    directory.mkdir(exist_ok=True)
    handle = os.open(directory / "seen.lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
