"""What a report finds: metrics compared, gates held, leakage and weak lineage; from values alone."""

from __future__ import annotations

import pytest

from strata_git.contracts.layout import Artifact
from strata_git.doctor.verdict import Verdict
from strata_git.errors import StrataError
from strata_git.index.records import ArtifactRecord, Cited, Code, Index
from strata_git.integrity.metric_gates import Figure
from strata_git.report.changes import changes_between
from strata_git.report.doubts import EMPTY, leakage, lineage_doubts
from strata_git.report.gates import gates_said, read_gates
from strata_git.report.measures import hold, predecessor
from strata_git.report.values import Doubt, Gated, Measured, Report

OID = "a" * 40
FOREST = Artifact("model", "forest", "v2")
GATES = (
    b"schema: strata/gates/v1\ngates:\n  - {models: 'for*', require: ['f1 >= 0.9', 'f1 not worse than production']}\n"
)


def record(kind: str, name: str, version: str = "v1", **facts: object) -> ArtifactRecord:
    return ArtifactRecord(Artifact(kind, name, version if kind != "run" else ""), OID, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("now", "before", "verdict"),
    [
        (Figure(0.9), None, "new"),
        (Figure(0.9), Figure(0.9), "same"),
        (Figure(0.91), Figure(0.9), "better"),
        (Figure(0.89, tolerance=0.01), Figure(0.9), "tolerated"),
        (Figure(0.88, tolerance=0.01), Figure(0.9), "worse"),
        (Figure(0.8, "lower"), Figure(0.9, "lower"), "better"),
        (Figure(1.0, "lower"), Figure(0.9, "lower"), "worse"),
        (Figure(0.8, "lower"), Figure(0.9), "unclear"),
        (Figure(0.8, ""), Figure(0.9, ""), "unclear"),
        (Figure(0.3), Figure(0.1 + 0.2), "worse"),
    ],
)
def test_a_metric_beside_the_one_before(now: Figure, before: Figure | None, verdict: str) -> None:
    measured = Measured("models/forest@v2", "model", "f1", now, "models/forest@v1", "production", before)
    assert measured.verdict == verdict


def test_differences_are_those_of_the_written_numbers() -> None:
    assert Measured("m", "model", "f1", Figure(0.92), "m", "", Figure(0.91)).delta == 0.01


@pytest.mark.parametrize(
    ("figures", "production", "passed"),
    [
        ({"f1": Figure(0.95)}, {"f1": Figure(0.95)}, [True, True]),
        ({"f1": Figure(0.91)}, {"f1": Figure(0.95)}, [True, False]),
        ({"f1": Figure(0.5)}, None, [False, True]),
        ({"accuracy": Figure(0.99)}, None, [False, False]),
        (None, None, [False, False]),
        ({"f1": Figure(0.95)}, {}, [True, False]),
    ],
)
def test_a_missing_metric_never_passes(
    figures: dict[str, Figure] | None, production: dict[str, Figure] | None, passed: list[bool]
) -> None:
    rules = read_gates(GATES, "gates.yaml")
    assert [each.why is None for each in hold(FOREST, figures, production, rules)] == passed


def test_gates_are_for_models_of_that_name() -> None:
    assert list(hold(Artifact("model", "tree", "v1"), {}, None, read_gates(GATES, "g"))) == []
    assert len(list(hold(FOREST, {}, None, gates_said(["f1 > 0", "f1 > 0"])))) == 1


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"gates: []", b"schema: strata/gates/v1", b"schema: strata/gates/v1\ngates: []\n", b"a: [\n",
     GATES.replace(b"models:", b"model:"), GATES.replace(b">= 0.9", b"is good"), GATES + b"more: 1\n",
     GATES.replace(b"['f1 >= 0.9', 'f1 not worse than production']", b"[7]")],
)  # fmt: skip
def test_gates_that_are_none_are_refused(data: bytes) -> None:
    """A gate that is misread as no gate would let everything pass."""
    with pytest.raises(StrataError):
        read_gates(data, "gates.yaml")


def test_the_version_before() -> None:
    versions = [Artifact("model", "forest", f"v{n}") for n in (1, 2, 10, 11)] + [Artifact("model", "tree", "v9")]
    assert predecessor(versions, Artifact("model", "forest", "v11")) == versions[2]
    assert predecessor(versions, versions[0]) is None


def splits(**named: str) -> dict[str, dict[str, str]]:
    return {split: {f"{split}/{sha}.csv": sha * 64 for sha in digests} for split, digests in named.items()}


def test_leakage_inside_and_between_versions() -> None:
    data = {"datasets/a@v1": splits(train="12", test="3"), "datasets/a@v2": splits(training="3", validation="14")}
    told = {(each.reference, each.message.rpartition(" stand in ")[2]) for each in leakage(data, data)}
    assert told == {
        ("datasets/a@v1", "the training data of datasets/a@v2"),
        ("datasets/a@v2", "the training data of datasets/a@v1"),
    }
    same = {"datasets/b@v1": splits(train="12", test="2")}
    assert [each.message for each in leakage(same, same)] == [
        "1 file held out (such as test/2.csv in test) stand in its own training data"
    ]


def test_no_leakage_where_there_is_none() -> None:
    data = {"datasets/a@v1": splits(train="12", test="3"), "datasets/b@v1": splits(train="45", test="36", all="1")}
    assert list(leakage(data, data)) == []
    empty = {"datasets/a@v1": {"train": {"a": EMPTY}, "test": {"b": EMPTY}}}
    assert list(leakage(empty, empty)) == []
    other = {"datasets/a@v1": splits(train="1"), "datasets/b@v1": splits(test="1")}
    assert list(leakage(other, {"datasets/c@v1"})) == []


def test_weak_lineage() -> None:
    iris = record("dataset", "iris", digest="sha256:" + "1" * 64)
    run = record("run", "run-2026-01-05-001", status="failed", code=Code("b" * 40, True),
                 inputs=(Cited("datasets/iris@v1", "sha256:" + "2" * 64), Cited("datasets/gone@v1")))  # fmt: skip
    model = record("model", "forest", run="run-2026-01-05-001")
    index = Index(OID, (iris, run, model))
    topics = sorted((each.topic, each.reference) for each in lineage_doubts(index, ["models/forest@v1"]))
    assert topics == [
        ("differs", "run-2026-01-05-001"),
        ("dirty", "run-2026-01-05-001"),
        ("failed", "run-2026-01-05-001"),
        ("missing", "run-2026-01-05-001"),
    ]
    assert list(lineage_doubts(index, ["datasets/iris@v1"])) == []


def test_changes() -> None:
    old = Index(OID, (record("dataset", "a", digest="1"), record("dataset", "b", digest="1"), record("prompt", "c")))
    signed = ArtifactRecord(Artifact("dataset", "a", "v1"), "b" * 40, digest="1")
    edited = ArtifactRecord(Artifact("dataset", "b", "v1"), "b" * 40, digest="2")
    new = Index(OID, (signed, edited, record("model", "d")))
    assert [(each.how, each.reference) for each in changes_between(old, new, lambda *_: True)] == [
        ("added", "models/d@v1"), ("signed", "datasets/a@v1"), ("changed", "datasets/b@v1"),
        ("removed", "prompts/c@v1"),
    ]  # fmt: skip
    assert changes_between(new, new) == ()


WORSE = Measured("m", "model", "f1", Figure(0.1), "n", "", Figure(0.9))


@pytest.mark.parametrize(
    ("parts", "code", "strict"),
    [
        ({}, 0, 0),
        ({"gated": (Gated("m", "g"),)}, 0, 0),
        ({"gated": (Gated("m", "g", "no"),)}, 2, 2),
        ({"doubts": (Doubt("dirty", "r", ""),)}, 1, 2),
        ({"measured": (WORSE,)}, 1, 2),
        ({"measured": (Measured("r", "run", "f1", Figure(0.1), "n", "", Figure(0.9)),)}, 0, 0),
    ],
)
def test_the_exit_code(parts: dict[str, object], code: int, strict: int) -> None:
    report = Report(OID, OID, OID, Verdict("", ()), **parts)  # type: ignore[arg-type]
    assert (report.exit_code(), report.exit_code(strict=True)) == (code, strict)
