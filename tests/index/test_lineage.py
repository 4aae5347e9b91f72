"""The graph: which edges there are, which of them hold, and what is said about those that do not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strata_git.checks.finding import found
from strata_git.contracts.layout import Artifact
from strata_git.index.lineage import Edge, Lineage, Mark, edges_of, trace, used_by
from strata_git.index.records import (
    ArtifactRecord,
    Cited,
    Code,
    Index,
    Introduction,
    Removed,
    Signature,
    StageRecord,
)
from strata_git.index.render import lineage_text

COMMIT, TAG = "c" * 40, "d" * 40
DIGEST, HASH, FILE = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}", "3" * 64
RUN_ID = "run-2026-01-05-001"

IRIS = ArtifactRecord(Artifact("dataset", "iris", "v1"), "t", digest=DIGEST, content_hash=HASH)
PROMPT = ArtifactRecord(Artifact("prompt", "ask", "v1"), "t", digest=DIGEST)
RUN = ArtifactRecord(
    Artifact("run", RUN_ID),
    "t",
    inputs=(Cited("datasets/iris@v1", DIGEST, HASH), Cited("prompts/ask@v1")),
    code=Code(COMMIT, dirty=False),
    outputs={"artifacts/model.skops": FILE},
)
FOREST = ArtifactRecord(
    Artifact("model", "forest", "v1"),
    "t",
    digest=DIGEST,
    inputs=(Cited("datasets/iris@v1", None, HASH),),
    run=RUN_ID,
    file=("model.skops", FILE),
)
PROMOTED = StageRecord(
    FOREST.artifact, "entering", "production", "forest#production#1", TAG, COMMIT, "2026-01-06T00:00:00Z", DIGEST,
    Signature("F" * 40, "Alice <alice@example.org>", "good"), current=True,
)  # fmt: skip
HISTORY = {COMMIT: Introduction(COMMIT, "Ada <ada@example.org>", "2026-01-05T12:00:00Z", "Add")}


def index_of(*records: ArtifactRecord, **more: object) -> Index:
    return replace(Index("e" * 40, artifacts=records, commits=HISTORY), **more)  # type: ignore[arg-type]


def traced(*records: ArtifactRecord, **more: object) -> Lineage:
    return trace(index_of(*records, **more), FOREST)


def edge(lineage: Lineage, source: str, target: str) -> Edge:
    (one,) = [e for e in lineage.edges if (e.source, e.target) == (source, target)]
    return one


def rules(lineage: Lineage) -> list[str]:
    return [finding.rule for finding in lineage.findings]


def test_a_models_way_names_data_run_code_prompt_and_promotion() -> None:
    lineage = traced(IRIS, PROMPT, RUN, FOREST, events=(PROMOTED,))
    assert [(e.source, e.relation, e.target, e.matches) for e in lineage.edges] == [
        ("models/forest@v1", "stage", "forest#production#1", True),
        ("datasets/iris@v1", "dataset", "models/forest@v1", True),
        (RUN_ID, "output", "models/forest@v1", True),
        (COMMIT, "code", RUN_ID, True),
        ("datasets/iris@v1", "input", RUN_ID, True),
        ("prompts/ask@v1", "prompt", RUN_ID, None),
    ]
    assert [(node.kind, node.id) for node in lineage.nodes] == [
        ("commit", COMMIT),
        ("dataset", "datasets/iris@v1"),
        ("event", "forest#production#1"),
        ("model", "models/forest@v1"),
        ("prompt", "prompts/ask@v1"),
        ("run", RUN_ID),
    ]
    assert lineage.findings == ()


def test_the_way_of_one_model_leaves_the_others_out() -> None:
    other = replace(FOREST, artifact=Artifact("model", "bush", "v1"))
    elsewhere = replace(PROMOTED, model=other.artifact, tag="bush#production#1")
    lineage = traced(IRIS, PROMPT, RUN, FOREST, other, events=(PROMOTED, elsewhere))
    assert not {"models/bush@v1", "bush#production#1"} & {node.id for node in lineage.nodes}


def test_descendants_are_told_when_asked_for() -> None:
    index = index_of(IRIS, PROMPT, RUN, FOREST, events=(PROMOTED,))
    assert [node.id for node in trace(index, IRIS).nodes] == ["datasets/iris@v1"]
    forward = trace(index, IRIS, descendants=True)
    assert {node.id for node in forward.nodes} == {
        "datasets/iris@v1", RUN_ID, "models/forest@v1", "forest#production#1"
    }  # fmt: skip
    assert used_by(index, "datasets/iris@v1") == ("models/forest@v1", RUN_ID)
    assert used_by(index, "models/forest@v1") == ()


def test_another_digest_breaks_the_edge() -> None:
    lineage = traced(replace(IRIS, content_hash=f"sha256:{'9' * 64}"), PROMPT, RUN, FOREST)
    broken = edge(lineage, "datasets/iris@v1", RUN_ID)
    assert broken.matches is False
    assert broken.claimed == Mark(DIGEST, HASH)
    assert broken.actual == Mark(DIGEST, f"sha256:{'9' * 64}")


def test_what_is_not_there_is_a_missing_node() -> None:
    lineage = traced(FOREST)
    assert edge(lineage, RUN_ID, "models/forest@v1").matches is False
    assert {node.id: (node.kind, node.state) for node in lineage.nodes} == {
        "datasets/iris@v1": ("dataset", "missing"),
        "models/forest@v1": ("model", "present"),
        RUN_ID: ("run", "missing"),
    }
    assert lineage.findings == ()  # the index's findings about references tell it


def test_what_was_removed_is_known_as_removed() -> None:
    lineage = traced(PROMPT, RUN, FOREST, removed=(Removed(IRIS.artifact, HISTORY[COMMIT]),))
    assert lineage.node("datasets/iris@v1").state == "removed"
    assert edge(lineage, "datasets/iris@v1", RUN_ID).matches is None


def test_a_code_commit_that_is_not_here_is_missing_and_no_verdict() -> None:
    lineage = traced(IRIS, PROMPT, RUN, FOREST, commits={})
    assert (lineage.node(COMMIT).kind, lineage.node(COMMIT).state) == ("commit", "missing")
    assert edge(lineage, COMMIT, RUN_ID).matches is None
    assert lineage.findings == ()


def test_the_edge_to_a_model_its_run_did_not_write_is_broken() -> None:
    """The finding is that of the links (STR-X006), which the index brings along."""
    lineage = traced(IRIS, PROMPT, replace(RUN, outputs={"artifacts/other": "4" * 64}), FOREST)
    assert edge(lineage, RUN_ID, "models/forest@v1").matches is False


def test_nothing_is_said_of_outputs_where_objects_are_absent() -> None:
    lineage = traced(IRIS, PROMPT, replace(RUN, outputs={}, complete=False), FOREST)
    assert edge(lineage, RUN_ID, "models/forest@v1").matches is None
    assert lineage.findings == ()


def test_an_event_that_vouches_for_other_content_is_an_error() -> None:
    lineage = traced(IRIS, PROMPT, RUN, FOREST, events=(replace(PROMOTED, digest=HASH),))
    assert rules(lineage) == ["STR-P011"]
    assert lineage.findings[0].path == "models/forest/v1"


def test_errors_of_artifacts_on_the_way_are_told_and_those_beside_it_not() -> None:
    torn = found("STR-C005", "datasets/iris/v1/train.csv", "changed")
    slight = found("STR-D003", "datasets/iris/v1/metadata.yaml", "overlap")
    beside = ArtifactRecord(
        Artifact("dataset", "wine", "v1"), "t", findings=(found("STR-C005", "datasets/wine/v1/a", "changed"),)
    )
    lineage = traced(replace(IRIS, findings=(torn, slight)), beside, PROMPT, RUN, FOREST)
    assert lineage.findings == (torn,)


def test_findings_about_references_count_where_the_citing_side_lies_on_the_way() -> None:
    near = found("STR-X003", f"runs/{RUN_ID}/run.yaml", "other hash")
    far = found("STR-X001", "models/bush/v1/metadata.yaml", "missing")
    assert traced(IRIS, PROMPT, RUN, FOREST, findings=(near, far)).findings == (near,)


def test_complaints_about_the_models_events_are_told() -> None:
    gap = found("STR-P008", "models/forest", "gap")
    complaints = {"forest": (gap,), "bush": (found("STR-P007", "models/bush", "fork"),)}
    assert traced(IRIS, PROMPT, RUN, FOREST, complaints=complaints).findings == (gap,)


@pytest.mark.parametrize("length", [3, 3000])
def test_rings_and_long_chains_of_parents_end(length: int) -> None:
    chain = tuple(
        ArtifactRecord(
            Artifact("dataset", "d", f"v{number}"), "t", inputs=(Cited(f"datasets/d@v{number % length + 1}"),)
        )
        for number in range(1, length + 1)
    )
    lineage = trace(index_of(*chain), chain[0])
    assert len(lineage.nodes) == length
    text = lineage_text(lineage)
    assert f"derived from datasets/d@v{length}" in text
    assert text.endswith("derived from datasets/d@v1  (see above)")


def test_edges_stand_in_one_order_whatever_order_the_records_have() -> None:
    one = edges_of(index_of(IRIS, PROMPT, RUN, FOREST, events=(PROMOTED,)))
    assert one == edges_of(index_of(FOREST, RUN, PROMPT, IRIS, events=(PROMOTED,)))


def test_the_text_says_what_holds_and_what_does_not() -> None:
    broken = replace(IRIS, content_hash=f"sha256:{'9' * 64}")
    text = lineage_text(traced(broken, RUN, FOREST, events=(PROMOTED,), commits={}))
    assert "trained on datasets/iris@v1, NOT AS RECORDED" in text
    assert f"made by {RUN_ID}, as recorded" in text
    assert f"ran commit {COMMIT} (not in this repository)" in text
    assert "asked with prompts/ask@v1 (not in this repository)" in text
    assert f"by forest#production#1 (tag {TAG}), signed by Alice <alice@example.org> {'F' * 40}: good" in text
