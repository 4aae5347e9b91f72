"""Paths, names and references: the grammar, both ways."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strata_git.contracts import layout
from strata_git.contracts.layout import Artifact, Reference, artifact_of, parse_reference
from strata_git.contracts.tree import relative
from strata_git.errors import printable

names = st.from_regex(layout.NAME, fullmatch=True)
versions = st.from_regex(layout.VERSION, fullmatch=True)
artifacts = (
    st.builds(Artifact, st.sampled_from(["dataset", "model", "prompt"]), names, versions)
    | st.builds(
        lambda day, n: Artifact("run", f"run-2026-01-{day:02}-{n:03}"), st.integers(1, 28), st.integers(1, 9999)
    )
    | st.builds(lambda name: Artifact("service", name), names)
)


@given(artifacts)
def test_path_and_reference_lead_back(artifact):
    assert artifact_of(artifact.path + "/some/file") == artifact
    for text in (artifact.reference, artifact.path):
        reference = parse_reference(text)
        assert reference.kind == artifact.kind
        assert reference.artifact("dataset") == artifact
    assert parse_reference(artifact.short, kind=artifact.kind).artifact(artifact.kind) == artifact


near = st.text(alphabet="aZ0v1-_@#/.\n ", max_size=16).map(lambda tail: f"datasets/a/v1{tail}") | st.text(
    alphabet="aZ0v1-_@#/.\n ", max_size=16
)


@given(near | artifacts.map(lambda artifact: artifact.reference))
def test_what_names_an_artifact_has_one_form(text):
    """However it was written, its reference and its path name the same again."""
    try:
        reference = parse_reference(text, kind=None if text.startswith("run-") else "dataset")
    except ValueError:
        return
    if reference.version is None and reference.kind != "run":
        return
    artifact = reference.artifact("dataset")
    assert parse_reference(artifact.reference).artifact("dataset") == artifact
    assert parse_reference(artifact.path).artifact("dataset") == artifact
    assert artifact_of(artifact.path) == artifact


@given(near)
def test_what_lies_in_an_artifact_lies_below_its_path(path):
    artifact = artifact_of(path)
    assert artifact is None or f"{path}/".startswith(f"{artifact.path}/")


@given(names, versions, st.sampled_from(layout.STAGES))
def test_marks_and_stages_are_read_both_ways(name, version, stage):
    assert (
        parse_reference(f"{name}#{version}") == parse_reference(f"{name}@{version}") == Reference(None, name, version)
    )
    at = Reference("model", name, stage=stage)
    assert parse_reference(f"{name}@{stage}") == parse_reference(f"models/{name}@{stage}") == at


@given(st.text())
def test_any_text_is_a_reference_or_refused_in_one_line(text):
    try:
        parse_reference(text)
    except ValueError as error:
        said = str(error)
    else:
        said = "accepted"
    assert said
    assert said == printable(said)


def test_what_an_artifact_says_of_itself():
    iris = Artifact("dataset", "iris", "v12")
    assert (iris.path, iris.reference, iris.short, iris.number) == (
        "datasets/iris/v12",
        "datasets/iris@v12",
        "iris@v12",
        12,
    )
    run = Artifact("run", "run-2026-11-21-001")
    assert (run.path, run.reference, run.short, run.number) == ("runs/" + run.name, run.name, run.name, 0)
    service = Artifact("service", "scoring")
    assert (service.path, service.reference) == ("services/scoring", "services/scoring")
    assert iris.frozen
    assert run.frozen
    assert not service.frozen


@pytest.mark.parametrize(
    "path",
    [
        "",
        "README.md",
        "datasets",
        "datasets/iris",
        "datasets/README.md",
        "datasets/iris/README.md",
        "datasets/iris/v0/x",
        "datasets/iris/v01/x",
        "datasets/Iris/v1/x",
        "datasets/iris\n/v1/x",
        "datasets/iris/v1\n/x",
        "datasets/iris/v1x/x",
        "datasets/iris/v1000000000/x",
        "runs/run-2026-11-21-001\n/x",
        "runs/run-2026-11-21-001-x/x",
        "Datasets/iris/v1/x",
        "runs/latest/x",
        "runs/run-2026-11-21-01/x",
        "services/scoring",
        "services/Bad/x",
        "tools/iris/v1/x",
    ],
)
def test_paths_outside_artifacts(path):
    assert artifact_of(path) is None


def test_the_directory_itself_lies_in_its_artifact():
    assert artifact_of("datasets/iris/v1") == Artifact("dataset", "iris", "v1")
    assert artifact_of("runs/run-2026-11-21-001") == Artifact("run", "run-2026-11-21-001")
    assert artifact_of("services/scoring/app.py") == Artifact("service", "scoring")


@pytest.mark.parametrize(
    ("text", "kind", "reference"),
    [
        ("iris@v1", None, Reference(None, "iris", "v1")),
        ("iris@v1", "dataset", Reference("dataset", "iris", "v1")),
        ("summarise#v1", None, Reference(None, "summarise", "v1")),
        ("resnet50@production", None, Reference("model", "resnet50", stage="production")),
        ("models/resnet50@staging", None, Reference("model", "resnet50", stage="staging")),
        ("resnet50", "model", Reference("model", "resnet50")),
        ("models/resnet50/v2/", None, Reference("model", "resnet50", "v2")),
        ("run-2026-11-21-001", None, Reference("run", "run-2026-11-21-001")),
        ("runs/run-2026-11-21-001", "run", Reference("run", "run-2026-11-21-001")),
    ],
)
def test_references(text, kind, reference):
    assert parse_reference(text, kind=kind) == reference


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", None),
        ("Iris@v1", None),
        ("iris@", None),
        ("iris@v0", None),
        ("iris@live", None),
        ("iris#production", None),
        ("iris@production", "dataset"),
        ("data/iris@v1", None),
        ("models/iris@v1", "dataset"),
        ("iris@v1@v2", None),
        ("iris@v1\n", None),
        ("../iris@v1", None),
    ],
)
def test_references_refused(text, kind):
    with pytest.raises(ValueError, match="'"):
        parse_reference(text, kind=kind)


def test_relative():
    assert relative("datasets/iris/v1/a/b", "datasets/iris/v1") == "a/b"


def test_the_gate_modules_import_only_the_standard_library():
    code = "import sys, strata_git.contracts.layout, strata_git.contracts.tree; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pydantic", "yaml", "strata_git.load"} & set(loaded)


@pytest.mark.parametrize("text", ["runs/is#v1", "runs/iris", "runs/run-2026-11-21-001@v1", "services/scoring@v1"])
def test_runs_and_services_have_no_versions(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a run|services have none"):
        parse_reference(text)
