"""The grammar of event tags."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata_git.contracts.layout import NAME, VERSION
from strata_git.ledger.names import TAGGED, EventName, likeness, parse_name

models = st.from_regex(NAME, fullmatch=True)
registrations = st.builds(EventName, models, version=st.from_regex(VERSION, fullmatch=True))
stages = st.builds(
    EventName, models, stage=st.sampled_from(TAGGED), leaving=st.booleans(), seq=st.integers(1, 999_999_999)
)


@given(registrations | stages)
def test_names_survive_a_round_trip(name: EventName) -> None:
    assert parse_name(name.tag) == name
    assert likeness(name.tag) == ("event", name.model)


@given(st.text(alphabet="ab-_@#!v.0129/ \n", max_size=20) | st.text(max_size=20))
def test_what_is_read_is_written_the_same(text: str) -> None:
    name = parse_name(text)
    assert name is None or name.tag == text


@pytest.mark.parametrize(
    ("tag", "kind", "model", "seq"),
    [
        ("resnet50@v2.0.0", "registration", "resnet50", 0),
        ("resnet50#production#7", "entering", "resnet50", 7),
        ("resnet50#production!#8", "leaving", "resnet50", 8),
        ("my-tiny_model2#archived#1", "entering", "my-tiny_model2", 1),
    ],
)
def test_the_three_forms(tag: str, kind: str, model: str, seq: int) -> None:
    name = parse_name(tag)
    assert name is not None
    assert (name.kind, name.model, name.seq) == (kind, model, seq)


@pytest.mark.parametrize(
    "tag",
    [
        "forest@v1", "forest@v1.2.3", "forest@v0.0.0", "forest@v01.0.0", "forest@v1.0.0!", "forest@v1.0.0#3",
        "forest@deprecated#4", "forest@created#1", "forest#production", "forest#production!", "forest#production#0",
        "forest#production#07", "forest#production#7 ", "forest#production#7\n", "forest#experimental#1",
        "forest#dev#1", "forest#Production#1", "forest#production!!#1", "forest#", "forest#production#٣",
    ],
)  # fmt: skip
def test_pretenders_are_told_apart(tag: str) -> None:
    assert parse_name(tag) is None
    assert likeness(tag) == ("malformed", "forest")


@pytest.mark.parametrize("tag", ["v1.0.0", "release/2026", "pkg@1.2.3", "@v1.0.0", "#1", "", "Forest#production#1"])
def test_other_tags_are_not_ours(tag: str) -> None:
    assert parse_name(tag) is None
    assert likeness(tag) == ("foreign", "")
