"""The door to judgement: a pure function of content and path, whose summary is plain data."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata_git.checks.engine import judge_artifact
from strata_git.contracts.layout import Artifact
from strata_git.repo.tree import MemoryTree
from tests.checks.judging import FOREST, IRIS, RUN, SUMMARISE, judge
from tests.support import artifacts

ALL = {IRIS: artifacts.dataset(), FOREST: artifacts.model(), RUN: artifacts.run(), SUMMARISE: artifacts.prompt()}
PROMISED = {
    "kind", "name", "version", "reference", "path", "digest", "content_hash", "created", "description", "licence",
    "files", "bytes", "pointers", "inputs", "run", "metrics", "signature_oid", "checksums_oid", "status",
    "code_commit", "seed", "judged",
}  # fmt: skip


@pytest.mark.parametrize(("artifact", "files"), ALL.items(), ids=lambda case: getattr(case, "kind", ""))
def test_a_summary_is_whole_and_plain(artifact: Artifact, files: dict[str, bytes]) -> None:
    summary = judge(files).summary
    assert summary.keys() >= PROMISED
    assert summary["reference"] == artifact.reference
    assert summary["created"] == artifacts.CREATED
    assert json.loads(json.dumps(summary)) == summary


@pytest.mark.parametrize("files", ALL.values())
def test_only_the_artifacts_own_directory_counts(files: dict[str, bytes]) -> None:
    around = {"datasets/iris/v10/x": b"x", "datasets/iris/v1.txt": b"x", "README.md": b"x"}
    artifact = next(artifact for artifact, own in ALL.items() if own is files)
    assert judge_artifact(MemoryTree(files | around), artifact) == judge(files)


def test_signatures_are_told_by_their_blob() -> None:
    files = artifacts.dataset(replace={"SIGNATURE.asc": b"signed"})
    entry = MemoryTree(files).get(f"{IRIS.path}/SIGNATURE.asc")
    assert entry is not None
    assert judge(files).summary["signature_oid"] == entry.oid
    assert judge(artifacts.dataset()).summary["signature_oid"] is None


def test_findings_are_sorted_by_place_and_told_once() -> None:
    findings = judge(artifacts.model(replace={"model.skops": None, "card.md": None, ".hidden": b"x"})).findings
    assert [finding.path for finding in findings] == sorted(finding.path for finding in findings)
    assert len(set(findings)) == len(findings)


@pytest.mark.parametrize("artifact", ALL, ids=lambda artifact: artifact.kind)
def test_an_empty_directory_is_judged_too(artifact: Artifact) -> None:
    judgement = judge_artifact(MemoryTree({}), artifact)
    assert judgement.findings
    assert judgement.summary["files"] == 0


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [
        "splits",
        "provenance",
        "content_hash",
        "datasets",
        "run",
        "signature",
        "artifact",
        "outputs",
        "inputs",
        "prompts",
        "status",
    ]
)


@given(st.sampled_from([artifacts.dataset, artifacts.model, artifacts.run]), st.dictionaries(KEYS, JUNK, max_size=4))
def test_no_shape_of_metadata_breaks_the_judge(make, junk) -> None:  # type: ignore[no-untyped-def]
    try:
        files = make(metadata=junk)
    except (ValueError, TypeError):
        return  # the writer refuses what no YAML could say
    json.dumps(judge(files).summary)


@given(st.binary(max_size=200), st.sampled_from(["metadata.yaml", "CHECKSUMS.txt", "metrics.yaml", "card.md"]))
def test_no_bytes_break_the_judge(data: bytes, name: str) -> None:
    judge(artifacts.model(replace={name: data}))
