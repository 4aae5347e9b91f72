"""What policy.yaml may say, and what contradicts itself."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from strata_git.contracts.base import ContractError, parse
from strata_git.contracts.policy import TrustPolicy
from strata_git.load import Document, load_yaml

MOMENT = "2026-01-01T00:00:00Z"
ADA, BOB = "gpg:" + "A" * 40, "ssh:SHA256:" + "b" * 43
PLAIN: dict[str, Any] = {
    "schema": "strata/policy/v1",
    "repository": "5f0c2a52-6a35-4c3e-9d55-0d7f6f2a9d01",
    "version": 1,
    "previous": None,
    "issued": "2026-11-21T09:30:00Z",
    "roots": {"threshold": 1, "principals": ["ada"]},
    "principals": {"ada": {"keys": [ADA]}, "bob": {"keys": [BOB]}},
    "rules": [{"models": "*", "from": "staging", "to": "production", "signers": ["ada", "bob"], "threshold": 2}],
}
RULE = PLAIN["rules"][0]


def said(*path: object, value: object) -> str:
    """What is said against the policy with the value at `path` changed (`...`: removed); `""`: nothing."""
    changed = deepcopy(PLAIN)
    place: Any = changed
    for step in path[:-1]:
        place = place.setdefault(step, {}) if isinstance(place, dict) else place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    try:
        parse(TrustPolicy, Document(changed))
    except ContractError as error:
        return str(error)
    return ""


def test_what_is_said_here_is_fine() -> None:
    assert said("version", value=1) == ""


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("schema",), "strata/policy/v2", "must be"),
        (("schema",), ..., "is missing"),
        (("repository",), "here", "UUID"),
        (("version",), 0, "at least 1"),
        (("version",), "1", "whole number"),
        (("version",), True, "whole number"),
        (("version",), 2, "has no previous"),
        (("previous",), "sha256:" + "0" * 64, "has no previous"),
        (("issued",), "yesterday", "time in UTC"),
        (("roots", "threshold"), 0, "at least 1"),
        (("roots", "threshold"), 2, "asks for 2 people and names 1"),
        (("roots", "principals"), ["ada", "ada"], "names somebody twice"),
        (("roots", "principals"), ["kim"], "kim is no principal"),
        (("roots", "principals"), [], "must not be empty"),
        (("principals",), {}, "must not be empty"),
        (("principals", "*"), {"keys": [ADA]}, "lower-case"),
        (("principals", "bob", "keys"), [ADA], "belongs to 2 people"),
        (("principals", "bob", "keys"), ["gpg:" + "a" * 40], "fingerprint"),
        (("principals", "bob", "keys"), ["gpg:" + "A" * 16], "fingerprint"),
        (("principals", "bob", "keys"), ["*"], "fingerprint"),
        (("principals", "bob", "revoked"), {"at": "2026-01-01T00:00:00Z"}, "is missing"),
        (("principals", "bob", "retired_keys"), [{"key": ADA, "at": MOMENT, "reason": "x"}], "2 people"),
        (("principals", "bob", "admin"), True, "not a key"),
        (("rules",), [RULE | {"signers": []}], "must not be empty"),
        (("rules",), [RULE | {"signers": ["kim", "ada"]}], "entry 1: kim is no principal"),
        (("rules",), [RULE | {"threshold": 3}], "asks for 3 people and names 2"),
        (("rules",), [RULE | {"threshold": 0}], "at least 1"),
        (("rules",), [RULE | {"to": "staging"}], "leads nowhere"),
        (("rules",), [RULE | {"to": "live"}], "must be"),
        (("rules",), [RULE | {"models": "a/b"}], "model's name"),
        (("rules",), [RULE | {"models": "[ab]"}], "model's name"),
        (("rules",), [RULE | {"requires": ["good"]}], "'good', which is no gate"),
        (("rules",), [RULE | {"requires": ["format"]}], "'formats' names none"),
        (("rules",), [RULE | {"distinct_from": ["boss"]}], "must be"),
        (("gates",), {"scan": "f1 > 1"}, "means something else"),
        (("gates",), {"good": "f1 is fine"}, "condition such as"),
        (("transitions",), ["staging => production"], "must be a mapping"),
        (("grace",), "maybe", "must be"),
        (("algorithms",), {"keys": []}, "must not be empty"),
        (("adopted",), {"forest": "v1"}, "tag object"),
        (("freshness",), {"max_age_days": 0}, "at least 1"),
        (("surprise",), 1, "not a key"),
    ],
)  # fmt: skip
def test_what_is_refused(path: tuple[object, ...], value: object, words: str) -> None:
    assert words in said(*path, value=value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("rules",), []),
        (("gates",), {"good": "f1 >= 0.9 with n >= 10"}),
        (("transitions",), ["experimental -> production", {"from": "production", "to": "archived"}]),
        (("principals", "bob", "revoked"), {"at": "2026-01-01T00:00:00Z", "reason": "left"}),
        (("adopted",), {"forest": "0" * 40}),
        (("formats",), {"production": ["onnx"], "pickle_imports": ["numpy.dtype", "sklearn.tree.*"]}),
        (("algorithms",), {"keys": ["ssh"]}),
    ],
)
def test_what_may_be_said(path: tuple[object, ...], value: object) -> None:
    assert said(*path, value=value) == ""


def test_only_the_first_version_adopts() -> None:
    later = deepcopy(PLAIN) | {"version": 2, "previous": "sha256:" + "0" * 64, "adopted": {"forest": "0" * 40}}
    with pytest.raises(ContractError, match="only the first version adopts"):
        parse(TrustPolicy, Document(later))


def test_the_example_in_the_guide_is_a_policy() -> None:
    text = (Path(__file__).parents[2] / "docs/trust.md").read_text()
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert parse(TrustPolicy, load_yaml(block.encode())).version == 2
