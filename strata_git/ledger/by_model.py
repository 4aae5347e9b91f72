"""What is remembered of each model by itself, so that an event of one model does not cost the reading of all others.

A model's part of an answer follows from its own references and high-water mark, from the trust policy, and from what
lies around every answer (`remembered.Standing`). Only parts of models about which there was nothing to complain are
ever kept. Forgetting them costs time only.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from strata_git.errors import StrataError
from strata_git.ledger.approval import APPROVALS
from strata_git.ledger.events import HEADS
from strata_git.ledger.freshness import FRESHNESS
from strata_git.ledger.names import TAGS, likeness
from strata_git.ledger.receipt import RECEIPTS
from strata_git.ledger.remembered import Standing
from strata_git.ledger.seen import Seen
from strata_git.ledger.trust import Trust
from strata_git.repo.command import Repository

Part = Mapping[str, Any]
"""JSON values."""
_PLACE = "models.json"
_LIMIT = 32 << 20


def part_keys(standing: Standing, seen: Seen, trust: Trust) -> dict[str, str]:
    """What the part of each model depends on, by the names of all models of which there is or was an event here."""
    lines: defaultdict[str, list[str]] = defaultdict(list)
    around: list[str] = []
    for line in os.fsdecode(standing.references).split("\n")[:-1]:
        ref = line.split(" ", 1)[1]
        if model := _model(ref):
            lines[model].append(line)
        elif ref.startswith((FRESHNESS, RECEIPTS)):
            around.append(line)  # it may concern any model
    everywhere = f"{standing.around} {seen.damage!r} {seen.policy} {_trusted(trust)} {_hashed(repr(around))}"
    told: dict[str, list[str]] = {model: lines.get(model, []) for model in (*lines, *seen.heads)}
    return {
        model: _hashed(json.dumps([everywhere, model, seen.heads.get(model, ()), seen.numbers.get(model, 0), *each]))
        for model, each in told.items()
    }


def recall_parts(repo: Repository, keys: Mapping[str, str]) -> dict[str, Part]:
    """The parts that are remembered and still true, by model."""
    try:
        with (repo.cache_dir / _PLACE).open("rb") as stream:
            value = json.loads(stream.read(_LIMIT))
        return {
            str(model): part
            for model, (key, part) in value.items()
            if keys.get(model) == key and isinstance(part, dict)
        }  # fmt: skip
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def remember_parts(repo: Repository, keys: Mapping[str, str], parts: Mapping[str, Part]) -> None:
    """Keep `parts` in place of all that was kept. Where the repository cannot be written to, nothing happens."""
    from strata_git.repo.files import write_file

    value = {model: [keys[model], dict(part)] for model, part in parts.items() if model in keys}
    with contextlib.suppress(OSError, StrataError):
        repo.cache_dir.mkdir(parents=True, exist_ok=True)
        write_file(repo.cache_dir / _PLACE, json.dumps(value).encode())


def _model(ref: str) -> str:
    """The model that a reference is about; `""` where it is about none."""
    if ref.startswith(TAGS):
        return likeness(ref.removeprefix(TAGS))[1]
    if ref.startswith(HEADS):
        return ref.removeprefix(HEADS)
    return ref.removeprefix(APPROVALS).partition("/")[0] if ref.startswith(APPROVALS) else ""


def _trusted(trust: Trust) -> str:
    """Everything by which a policy judges."""
    versions = [[each.policy.digest, each.data, each.keys, each.signatures] for each in trust.versions]
    return _hashed(repr([trust.state, trust.pin, trust.findings, versions]))


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
