"""What is meant by a reference, and what is said when nothing or too much is."""

from __future__ import annotations

import pytest

from strata_git.contracts.layout import Artifact
from strata_git.errors import StrataError
from strata_git.index.records import ArtifactRecord, Index, Introduction, Removed, StageRecord
from strata_git.index.select import records_of, select

RUN = Artifact("run", "run-2026-01-05-001")
GONE = Introduction("b" * 40, "Ada", "", "Add")


def record(kind: str, name: str, version: str = "", *stages: str) -> ArtifactRecord:
    return ArtifactRecord(Artifact(kind, name, version), "t", stages=stages)


def event(model: Artifact) -> StageRecord:
    return StageRecord(model, "entering", "production", "t", "o", "a" * 40, "", None, None, current=True)


INDEX = Index(
    "e" * 40,
    artifacts=(
        record("dataset", "iris", "v1"),
        record("dataset", "wine", "v1"),
        record("dataset", "wine", "v2"),
        record("model", "iris", "v1", "production"),
        record("model", "forest", "v1"),
        ArtifactRecord(RUN, "t"),
        record("service", "scoring"),
    ),
    removed=(Removed(Artifact("dataset", "old", "v1"), GONE), Removed(Artifact("dataset", "cut", "v1"), None)),
    events=(event(Artifact("model", "forest", "v9")),),
)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("wine@v2", "datasets/wine@v2"),
        ("datasets/wine/v1", "datasets/wine@v1"),
        ("models/iris@v1", "models/iris@v1"),
        ("iris@production", "models/iris@v1"),
        ("models/iris@production", "models/iris@v1"),
        ("forest", "models/forest@v1"),
        ("models/iris", "models/iris@v1"),
        (RUN.name, RUN.name),
        (f"runs/{RUN.name}", RUN.name),
        ("services/scoring", "services/scoring"),
    ],
)
def test_a_reference_means_one_artifact(text: str, meant: str) -> None:
    assert select(INDEX, text).reference == meant


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("iris@v1", "'iris@v1' is ambiguous: datasets/iris@v1, models/iris@v1.", "Say which one"),
        ("wine", "'wine' is ambiguous: datasets/wine@v1, datasets/wine@v2.", "Say which one"),
        ("wnie@v2", "There is no wnie@v2 at eeeeeeeeeeee.", "Near it: datasets/wine@v2"),
        ("wine@v7", "There is no wine@v7 at eeeeeeeeeeee.", "datasets/wine@v1"),
        ("zzzzzz@v1", "There is no zzzzzz@v1 at eeeeeeeeeeee.", "git strata list"),
        ("IRIS@v1", "'IRIS@v1' is no reference: 'IRIS' is not a name", "iris"),
        ("iris@latest", "'iris@latest' is no reference", "iris"),
        ("", "'' is no reference", "git strata list"),
        ("wine@v1\x1b[31m", "'wine@v1\\x1b[31m' is no reference", "wine@v1"),
        ("wine@staging", "No version of wine is in staging.", "git strata stages"),
        ("old@v1", "datasets/old@v1 was removed", f"git strata show datasets/old@v1 --at {'b' * 40}"),
        ("cut@v1", "datasets/cut@v1 was removed", "git log --all -- datasets/cut/v1"),
        ("forest@production", "models/forest@v9 is in production, but is not in the tree", f"--at {'a' * 40}"),
    ],
)
def test_what_is_not_one_artifact_is_explained(text: str, message: str, hint: str) -> None:
    with pytest.raises(StrataError) as caught:
        select(INDEX, text)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.exit_code == 3


def test_artifacts_are_listed_by_kind() -> None:
    assert [one.reference for one in records_of(INDEX, "dataset")] == [
        "datasets/iris@v1", "datasets/wine@v1", "datasets/wine@v2"
    ]  # fmt: skip
    assert records_of(INDEX, "prompt") == ()
