"""Documents for other tools: the same bytes every time, nobody's paths in them, hostile words as words."""

from __future__ import annotations

import json

import pytest

from strata_git.errors import StrataError, UsageError
from strata_git.exchange.convert import FILES, document
from strata_git.load import load_yaml
from tests.exchange.converting import converted, story, subject, told
from tests.support.artifacts import REPOSITORY
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

ABOUT = {
    "croissant": "iris@v1", "cyclonedx": "forest@v1", "hf-card": "forest@v1", "prov": "forest@v1",
    "prov-n": "run-2026-01-05-001", "ro-crate": "iris@v1", "dvc": "run-2026-01-05-001",
}  # fmt: skip


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    return story(builder())


def test_the_same_revision_gives_the_same_bytes_in_a_clone_too(repo: RepositoryBuilder) -> None:
    first = {name: converted(repo, about, name) for name, about in ABOUT.items()}
    assert first.keys() == FILES.keys()
    clone = repo.clone()
    repo.commit("Later", {"notes.txt": "x"})
    there = repo.git("rev-parse", "HEAD~1")
    for name, about in ABOUT.items():
        assert converted(clone, about, name) == first[name]
        assert document([subject(repo, about, there)], name) == first[name]
        assert str(repo.path).encode() not in first[name]


@pytest.mark.parametrize(("name", "about"), [
    ("croissant", "forest@v1"), ("cyclonedx", "iris@v1"), ("hf-card", "run-2026-01-05-001"), ("dvc", "iris@v1"),
])  # fmt: skip
def test_a_format_is_for_certain_kinds(repo: RepositoryBuilder, name: str, about: str) -> None:
    with pytest.raises(StrataError, match="describes a"):
        converted(repo, about, name)


def test_only_dvc_takes_several(repo: RepositoryBuilder) -> None:
    both = [subject(repo, "forest@v1"), subject(repo, "run-2026-01-05-001")]
    said = load_yaml(document(both, "dvc")).value
    assert said == {
        "metrics": ["models/forest/v1/metrics.yaml", "runs/run-2026-01-05-001/metrics.json"],
        "params": ["runs/run-2026-01-05-001/config.yaml"],
        "artifacts": {
            "forest": {
                "path": "models/forest/v1/model.skops",
                "type": "model",
                "desc": "The model forest.",
                "labels": ["skops"],
                "meta": {
                    "version": "v1",
                    "digest": both[0].record.digest,
                    "run": "run-2026-01-05-001",
                    "framework": "scikit-learn",
                },
            }
        },
    }
    with pytest.raises(UsageError):
        document(both, "prov")
    with pytest.raises(UsageError):
        document(both, "dvc", base="https://example.org/")


def test_the_bill_names_model_data_packages_and_how_they_hang_together(repo: RepositoryBuilder) -> None:
    bill = told(repo, "forest@v1", "cyclonedx")
    assert [part["bom-ref"] for part in bill["components"]] == ["datasets/iris@v1", "pkg:pypi/numpy@2.0.0"]
    model = bill["metadata"]["component"]
    assert model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"] == [
        {"type": "accuracy", "value": "0.9", "slice": "test"}
    ]
    assert model["licenses"] == [{"license": {"id": "CC-BY-4.0"}}]
    assert bill["dependencies"][0] == {
        "ref": "models/forest@v1", "dependsOn": ["datasets/iris@v1", "pkg:pypi/numpy@2.0.0"]
    }  # fmt: skip
    assert bill["metadata"]["timestamp"] == "2026-01-05T12:00:00Z"


def test_an_address_before_croissants_paths(repo: RepositoryBuilder) -> None:
    said = json.loads(converted(repo, "iris@v1", "croissant", base="https://example.org/r"))
    first = said["distribution"][0]
    assert first["contentUrl"] == "https://example.org/r/datasets/iris/v1/test.csv"
    assert said["url"] == "https://example.org/r/datasets/iris/v1/"


HOSTILE = "a\u202e</script>\x1b[31m\"' ${HOME} {{x}} \U0001f600"


def test_hostile_words_stay_words(builder: Builder) -> None:
    repo = builder().workspace()
    repo.dataset("iris", metadata={"description": HOSTILE, "licence": "x <y>", "provenance": {
        "source": "javascript:alert(1) " + HOSTILE, "retrieved": "2026-01-05", "process": HOSTILE, "parents": [],
    }})  # fmt: skip
    repo.model("forest", metadata={"description": HOSTILE}, extra={"a b#?%.txt": b"x"})
    repo.run()
    repo.commit("Hostile")
    assert told(repo, "iris@v1", "croissant")["description"].startswith("a\\u202e</script>\\x1b[31m")
    assert "\\u202e" in told(repo, "forest@v1", "cyclonedx")["metadata"]["component"]["description"]
    crate = told(repo, "forest@v1", "ro-crate")
    assert "models/forest/v1/a%20b%23%3F%25.txt" in {entity["@id"] for entity in crate["@graph"]}
    for name, about in ABOUT.items():
        data = converted(repo, about, name)
        assert b"\x1b" not in data
        assert "\u202e".encode() not in data


def test_signed_events_are_activities_of_a_key(builder: Builder) -> None:
    """Without a signature nobody is told of; the workspace's UUID is in every name."""
    repo = story(builder())
    said = told(repo, "forest@v1", "prov")
    assert "agent" not in said
    assert said["prefix"] == {"strata": f"urn:git-strata:{REPOSITORY}:"}
    assert said["activity"]["strata:run-2026-01-05-001"]["prov:endTime"] == "2026-01-05T12:00:09Z"


@pytest.mark.heavy
def test_a_file_is_replaced_only_when_asked(repo: RepositoryBuilder) -> None:
    repo.strata("convert", "iris@v1", "--to", "croissant", "-o", "out/").expect(0)
    repo.strata("convert", "iris@v1", "--to", "croissant", "-o", "out/croissant.json").expect(0)
    assert repo.read("out/croissant.json") == converted(repo, "iris@v1", "croissant")
    refused = repo.strata("convert", "forest@v1", "--to", "cyclonedx", "-o", "out/croissant.json").expect(3)
    assert "--force" in refused.err
