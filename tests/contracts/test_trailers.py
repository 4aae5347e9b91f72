"""Trailers that name artifacts: what is written can be read, and nothing else counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata_git.contracts.layout import Artifact
from strata_git.contracts.trailers import MORE, NAMED, claims, trailers_of

NAMES = st.from_regex(r"[a-z0-9]{1,5}([-_][a-z0-9]{1,3}){0,2}", fullmatch=True)
VERSIONED = st.builds(
    lambda kind, name, number: Artifact(kind, name, f"v{number}"),
    st.sampled_from(["dataset", "model", "prompt"]), NAMES, st.integers(1, 999),
)  # fmt: skip
SERVICES = st.builds(lambda name: Artifact("service", name), NAMES)
RUNS = st.builds(lambda number: Artifact("run", f"run-2026-11-21-{number:03}"), st.integers(1, 9999))


@given(st.lists(st.one_of(VERSIONED, SERVICES, RUNS), max_size=40))
def test_what_is_written_is_read_back(artifacts: list[Artifact]) -> None:
    found = claims("A subject\n\n" + "\n".join(trailers_of(artifacts)))
    assert all(claim.sound and claim.known for claim in found)
    named = [claim.artifact for claim in found if claim.artifact]
    assert set(named) <= set(artifacts)
    assert len(named) == min(len(set(artifacts)), NAMED)
    assert [claim.name for claim in found if not claim.artifact] == [MORE] * (len(set(artifacts)) > NAMED)


def test_by_kind_then_name_then_version() -> None:
    given = [Artifact("run", "run-2026-01-05-001"), Artifact("dataset", "b", "v10"), Artifact("dataset", "b", "v9")]
    assert trailers_of([*given, Artifact("dataset", "a", "v1"), given[0]]) == [
        "Strata-Dataset: datasets/a@v1",
        "Strata-Dataset: datasets/b@v9",
        "Strata-Dataset: datasets/b@v10",
        "Strata-Run: run-2026-01-05-001",
    ]


def test_many_are_counted() -> None:
    lines = trailers_of(Artifact("dataset", "x", f"v{number}") for number in range(1, NAMED + 2))
    assert (len(lines), lines[-1]) == (NAMED + 1, "Strata-More: 1 artifact")


@pytest.mark.parametrize(
    "line",
    [
        "Strata-Dataset: iris@v1", "Strata-Dataset: datasets/iris", "Strata-Dataset: datasets/iris/v1",
        "Strata-Dataset: models/iris@v1", "Strata-Dataset: datasets/Iris@v1", "Strata-Model: models/x@production",
        "Strata-Run: abc", "Strata-Run: runs/run-2026-01-05-001", "Strata-Service: scoring", "Strata-Dataset:",
        "strata-model: models/x", "Strata-More: many", "Strata-More: 0 artifacts", "Strata-Prompt: prompts/../x@v1",
        "Strata-Dataset: datasets/iris@v1\x1b[2J",
    ],
)  # fmt: skip
def test_what_is_not_sound(line: str) -> None:
    (claim,) = claims(line)
    assert (claim.known, claim.sound, claim.artifact) == (True, False, None)


@pytest.mark.parametrize(
    "line", ["Strata is fine", " Strata-Run: x", "Strata-: x", "> Strata-Run: x", "Strata-Run x", "# Strata-Run: x"]
)
def test_what_is_no_trailer(line: str) -> None:
    assert claims(line) == []


def test_case_and_place_do_not_hide_a_trailer() -> None:
    told = claims("a\r\n\r\nSTRATA-model : models/x@v1\r\n\r\nmore words\nStrata-Modell: y\n")
    assert [(claim.line, claim.known, claim.sound) for claim in told] == [(3, True, True), (6, False, False)]
