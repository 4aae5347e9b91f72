"""What a judged directory becomes in the index, whatever its summary looks like."""

from __future__ import annotations

import pytest

from strata_git.checks.engine import Judgement, judge_artifact
from strata_git.checks.finding import found
from strata_git.contracts.layout import Artifact
from strata_git.index.records import ArtifactRecord, Cited, Code, model_file, record_of
from strata_git.repo.tree import MemoryTree
from tests.support import artifacts

RUN = Artifact("run", artifacts.RUN)
TREE = "a" * 40


def recorded(files: artifacts.Files, artifact: Artifact) -> ArtifactRecord:
    return record_of(artifact, TREE, judge_artifact(MemoryTree(dict(files)), artifact))


def test_a_run_names_its_inputs_code_and_outputs() -> None:
    cited = artifacts.cite(artifacts.dataset(), "datasets/iris/v1")
    record = recorded(artifacts.run(inputs=[cited], outputs={"model.skops": b"x"}), RUN)
    assert record.inputs == (Cited("datasets/iris@v1", str(cited["digest"]), str(cited["content_hash"])),)
    assert record.code == Code("1" * 40, dirty=False)
    assert record.outputs == {
        "artifacts/model.skops": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    }
    assert (record.status, record.metrics) == ("succeeded", {"accuracy": 0.9})


def test_a_model_names_its_run_and_data() -> None:
    record = recorded(artifacts.model(), Artifact("model", "forest", "v1"))
    assert record.run == artifacts.RUN
    assert [cited.reference for cited in record.inputs] == ["datasets/iris@v1"]
    assert record.files == 5
    assert record.findings == ()


def test_digest_and_content_hash_are_computed_not_quoted() -> None:
    forged = artifacts.dataset(metadata={"content_hash": f"sha256:{'0' * 64}"})
    record = recorded(forged, Artifact("dataset", "iris", "v1"))
    assert record.content_hash == artifacts.cite(forged, "datasets/iris/v1")["content_hash"]
    assert record.content_hash != f"sha256:{'0' * 64}"
    assert [finding.rule for finding in record.findings] == ["STR-C006"]
    assert record.count("error") == 1


@pytest.mark.parametrize(
    "summary",
    [
        {},
        {"inputs": [1, None, {"ref": 3}, {}], "outputs": [{"path": 1}, "x"], "metrics": [1], "files": "many"},
        {"run": ["x"], "code_commit": 7, "digest": {}, "metrics": {"a": "b", "c": float("nan"), "d": True}},
    ],
)
def test_whatever_a_summary_holds_there_is_a_record(summary: dict[str, object]) -> None:
    record = record_of(RUN, TREE, Judgement((), summary))
    assert record == ArtifactRecord(RUN, TREE)


def test_what_lacks_objects_is_incomplete() -> None:
    assert not record_of(RUN, TREE, Judgement((), {"judged": False})).complete


def test_findings_are_counted_by_severity() -> None:
    findings = (found("STR-C001", "x", "m"), found("STR-C003", "x", "m"), found("STR-M007", "x", "m"))
    record = record_of(RUN, TREE, Judgement(findings, {}))
    assert (record.count("error"), record.count("warning")) == (2, 1)


def test_a_models_file_is_the_one_its_metadata_names() -> None:
    sums = {"model.skops": "1" * 64, "card.md": "2" * 64}
    assert model_file({"artifact": "model.skops"}, sums) == ("model.skops", "1" * 64)
    assert model_file({"artifact": "gone.skops"}, sums) is None
    assert model_file({}, sums) is None
