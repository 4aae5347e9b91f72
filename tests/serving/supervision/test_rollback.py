"""Which version comes back, and by way of which stages."""

from __future__ import annotations

from collections.abc import Collection
from types import SimpleNamespace
from typing import Any

import pytest

from strata_git.errors import StrataError
from strata_git.serving.supervision.rollback import planned


def state(moves: str, **stages: str) -> Any:
    """`moves` are words like `v1>production`, in their order; `stages` is where versions are now."""
    steps = []
    for word in moves.split():
        version, _, target = word.partition(">")
        steps.append(SimpleNamespace(entering=SimpleNamespace(record=SimpleNamespace(version=version, target=target))))
    versions = {version: SimpleNamespace(stage=stage) for version, stage in stages.items()}
    return SimpleNamespace(model="forest", versions=versions, steps=steps)


TWO = "v1>staging v1>production v2>staging v2>production"


@pytest.mark.parametrize(
    ("moves", "stages", "to", "meant"),
    [
        (TWO, {"v1": "experimental", "v2": "production"}, None, ("v2", "v1", ("staging", "production"))),
        (TWO, {"v1": "experimental", "v2": "staging"}, None, ("", "v2", ("production",))),  # v2 was demoted
        (f"{TWO} v1>production", {"v1": "production", "v2": "staging"}, None, ("v1", "v2", ("production",))),
        (f"{TWO} v3>production", {"v1": "staging", "v2": "experimental", "v3": "production"}, "v1",
         ("v3", "v1", ("production",))),
    ],
)  # fmt: skip
def test_what_going_back_means(
    moves: str, stages: dict[str, str], to: str | None, meant: tuple[str, str, tuple[str, ...]]
) -> None:
    found = planned(state(moves, **stages), "production", to)
    assert (found.current, found.version, found.stages) == meant


@pytest.mark.parametrize(
    ("moves", "stages", "to", "transitions", "words"),
    [
        ("v1>production", {"v1": "production"}, None, None, "nothing to go back to"),
        ("", {"v1": "experimental"}, None, None, "nothing to go back to"),
        (TWO, {"v1": "archived", "v2": "production"}, None, None, "nothing leads from there"),
        (TWO, {"v1": "experimental", "v2": "production"}, "v2", None, "has already"),
        (TWO, {"v1": "experimental", "v2": "production"}, "v9", None, "No event names v9"),
        (TWO, {"v1": "experimental", "v2": "production"}, None, {("experimental", "staging")}, "nothing leads"),
    ],
)
def test_where_there_is_no_way_back(
    moves: str, stages: dict[str, str], to: str | None, transitions: Collection[tuple[str, str]] | None, words: str
) -> None:
    with pytest.raises(StrataError, match=words):
        planned(state(moves, **stages), "production", to, transitions)


def test_a_policy_may_know_a_shorter_way() -> None:
    allowed = {("experimental", "staging"), ("staging", "production"), ("experimental", "production")}
    assert planned(state(TWO, v1="experimental", v2="production"), "production", None, allowed).stages == (
        "production",
    )
