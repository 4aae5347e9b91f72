"""Which moves there are."""

from __future__ import annotations

import pytest

from strata_git.contracts.layout import STAGES
from strata_git.ledger.stages import is_allowed, is_upward, next_stage, reachable


def test_the_allowed_moves_are_these() -> None:
    allowed = {(a, b) for a in STAGES for b in STAGES if is_allowed(a, b)}
    assert allowed == {
        ("experimental", "staging"), ("staging", "production"), ("production", "archived"),
        ("production", "staging"), ("staging", "archived"), ("experimental", "archived"),
    }  # fmt: skip
    assert {(a, b) for a in STAGES for b in reachable(a)} == allowed


def test_up_is_towards_users() -> None:
    up = {(a, b) for a in STAGES for b in STAGES if is_upward(a, b)}
    assert up & {(a, b) for a in STAGES for b in reachable(a)} == {
        ("experimental", "staging"),
        ("staging", "production"),
    }


def test_the_next_stage_never_archives() -> None:
    assert [next_stage(stage) for stage in STAGES] == ["staging", "production", None, None]


@pytest.mark.parametrize("word", ["", "Production", "prod"])
def test_other_words_are_no_stages(word: str) -> None:
    with pytest.raises(ValueError, match="is not a stage"):
        next_stage(word)
    with pytest.raises(ValueError, match="is not a stage"):
        is_allowed("staging", word)
    with pytest.raises(ValueError, match="is not a stage"):
        is_upward(word, "staging")
    with pytest.raises(ValueError, match="is not a stage"):
        reachable(word)
