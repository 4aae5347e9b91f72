"""The index of real repositories: which commit brought what, at any revision, from any kind of clone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from strata_git.errors import StrataError
from strata_git.index.describe import describe, lineage_of
from strata_git.index.export import index_document, lineage_document
from strata_git.index.records import Index
from strata_git.load import dump_json
from tests.index.opening import indexed, introduced, opened
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder


def test_an_artifact_is_introduced_by_the_commit_that_added_it(builder: Builder) -> None:
    repo = builder().workspace()
    repo.dataset("iris")
    first = repo.commit("Add iris")
    repo.commit("Note", {"NOTES.md": "x"})
    index = indexed(repo)
    record = index.get("datasets/iris@v1")
    assert record is not None
    assert record.introduced is not None
    assert (record.introduced.commit, record.introduced.subject) == (first, "Add iris")
    assert record.introduced.author == "Ada Tester <ada@example.org>"
    assert record.introduced.date == "2026-01-05T12:01:00Z"
    assert record.tree == repo.git("rev-parse", "HEAD:datasets/iris/v1")


def test_one_merged_in_was_introduced_on_its_branch(builder: Builder) -> None:
    repo = builder().workspace()
    repo.commit("Begin")
    repo.git("checkout", "-q", "-b", "side")
    repo.dataset("iris")
    side = repo.commit("Add iris on a branch")
    repo.git("checkout", "-q", "main")
    repo.dataset("wine")
    straight = repo.commit("Add wine")
    repo.git("merge", "-q", "--no-ff", "--no-edit", "side")
    index = indexed(repo)
    assert introduced(index, "datasets/iris@v1") == side
    assert introduced(index, "datasets/wine@v1") == straight


def test_one_that_only_the_merge_added_was_introduced_by_it(builder: Builder) -> None:
    repo = builder().workspace()
    repo.commit("Begin")
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("Side", {"a.txt": "a"})
    repo.git("checkout", "-q", "main")
    repo.commit("Main", {"b.txt": "b"})
    repo.git("merge", "-q", "--no-ff", "--no-commit", "side")
    repo.dataset("iris")
    merge = repo.commit("Merge and add")
    assert introduced(indexed(repo), "datasets/iris@v1") == merge


def test_one_added_on_two_branches_has_one_of_them_as_its_origin(builder: Builder) -> None:
    repo = builder().workspace()
    repo.commit("Begin")
    repo.git("checkout", "-q", "-b", "side")
    repo.dataset("iris")
    side = repo.commit("Add here")
    repo.git("checkout", "-q", "main")
    repo.dataset("iris")
    main = repo.commit("Add there")
    repo.git("merge", "-q", "--no-ff", "--no-edit", "side")
    assert introduced(indexed(repo), "datasets/iris@v1") in {side, main}
    assert dump_json(index_document(indexed(repo))) == dump_json(index_document(indexed(repo)))


def test_a_removed_version_is_remembered_and_comes_back_with_its_first_commit(builder: Builder) -> None:
    repo = builder().workspace()
    repo.dataset("iris")
    first = repo.commit("Add")
    repo.git("rm", "-r", "-q", "datasets/iris")
    repo.commit("Remove")
    index = indexed(repo)
    assert index.artifacts == ()
    (gone,) = index.removed
    assert gone.introduced is not None
    assert (gone.artifact.reference, gone.introduced.commit) == ("datasets/iris@v1", first)
    repo.dataset("iris")
    repo.commit("Add again")
    assert introduced(indexed(repo), "datasets/iris@v1") == first
    assert indexed(repo).removed == ()


def test_any_revision_can_be_indexed(builder: Builder) -> None:
    repo = builder().workspace()
    repo.dataset("iris")
    first = repo.commit("Add iris")
    repo.git("tag", "-a", "-m", "here", "here")
    repo.dataset("iris", "v2")
    repo.commit("Add the next")
    for revision in (first, "here", "HEAD~1", "main^"):
        index = indexed(repo, revision)
        assert index.revision == first
        assert [record.reference for record in index.artifacts] == ["datasets/iris@v1"]
    assert len(indexed(repo).artifacts) == 2


def test_a_revision_that_is_none_is_an_inability(builder: Builder) -> None:
    repo = builder().workspace()
    assert indexed(repo) == Index()
    for revision in ("nowhere", "--output=x", ""):
        with pytest.raises(StrataError):
            indexed(repo, revision)


def test_versions_are_listed_by_number(builder: Builder) -> None:
    repo = builder().workspace()
    for version in ("v10", "v9", "v1"):
        repo.dataset("iris", version)
    repo.commit("Add")
    assert [record.artifact.version for record in indexed(repo).artifacts] == ["v1", "v9", "v10"]


def test_a_story_has_a_sound_lineage_with_its_code(builder: Builder) -> None:
    repo = builder().workspace()
    start = repo.commit("Begin")
    cited = [artifacts.cite(artifacts.dataset("iris"), "datasets/iris/v1")]
    repo.dataset("iris")
    repo.run(inputs=cited, metadata={"code": {"commit": start, "dirty": False, "tree": "2" * 40}})
    repo.model("forest", datasets=cited)
    repo.commit("Add all")
    lineage = lineage_of(opened(repo), indexed(repo), "forest@v1")
    assert lineage.findings == ()
    assert {(e.relation, e.source, e.matches) for e in lineage.edges} == {
        ("dataset", "datasets/iris@v1", True),
        ("output", artifacts.RUN, True),
        ("code", start, True),
        ("input", "datasets/iris@v1", True),
    }
    code = lineage.node(start).commit
    assert code is not None
    assert code.subject == "Begin"


@pytest.mark.parametrize(
    ("claim", "rule"), [("content_hash", "STR-X003"), ("digest", "STR-X002")], ids=["content_hash", "digest"]
)
def test_a_forged_claim_in_a_run_is_found(builder: Builder, claim: str, rule: str) -> None:
    repo = builder().workspace()
    true = artifacts.cite(artifacts.dataset("iris"), "datasets/iris/v1")
    repo.dataset("iris")
    repo.run(inputs=[true | {claim: f"sha256:{'0' * 64}"}])
    repo.model("forest", datasets=[true])
    repo.commit("Add all")
    lineage = lineage_of(opened(repo), indexed(repo), "forest@v1")
    assert [(finding.rule, finding.path) for finding in lineage.findings] == [(rule, f"runs/{artifacts.RUN}/run.yaml")]
    assert [e.matches for e in lineage.edges if e.relation == "input"] == [False]


def test_what_a_model_cites_and_nobody_committed_is_found(builder: Builder) -> None:
    repo = builder().workspace()
    repo.model("forest")
    repo.commit("Add the model alone")
    lineage = lineage_of(opened(repo), indexed(repo), "forest@v1")
    assert {finding.rule for finding in lineage.findings} == {"STR-X001"}
    assert {e.matches for e in lineage.edges} == {False}


def test_a_removed_dataset_is_told_as_removed(builder: Builder) -> None:
    repo = builder().workspace()
    repo.story()
    repo.commit("Add all")
    repo.git("rm", "-r", "-q", "datasets")
    repo.commit("Retire the data")
    lineage = lineage_of(opened(repo), indexed(repo), "forest@v1")
    assert {finding.rule for finding in lineage.findings} == {"STR-X004"}
    assert lineage.node("datasets/iris@v1").state == "removed"


def test_tampered_data_shows_on_the_way(builder: Builder) -> None:
    repo = builder().workspace()
    repo.story()
    repo.commit("Add all", {"datasets/iris/v1/train.csv": "sepal,petal,species\n"})
    lineage = lineage_of(opened(repo), indexed(repo), "forest@v1")
    assert "STR-C005" in {finding.rule for finding in lineage.findings}


def test_a_model_its_run_did_not_write_is_found(builder: Builder) -> None:
    repo = builder().workspace()
    repo.story()
    repo.run(
        inputs=[artifacts.cite(artifacts.dataset("iris"), "datasets/iris/v1")], outputs={"model.skops": b"another"}
    )
    repo.commit("Add all")
    lineage = lineage_of(opened(repo), indexed(repo), "forest@v1")
    assert [finding.path for finding in lineage.findings] == ["models/forest/v1/metadata.yaml"]


def test_a_bare_clone_gives_the_same_words(builder: Builder) -> None:
    repo = builder().workspace()
    repo.story()
    repo.commit("Add all")
    bare = repo.clone("bare.git", "--bare")
    for one in (repo, bare):
        assert indexed(one).revision == repo.head
    assert index_document(indexed(bare)) == index_document(indexed(repo))
    lineages = [lineage_of(opened(one), indexed(one), "forest") for one in (repo, bare)]
    assert lineage_document(lineages[0], repo.head) == lineage_document(lineages[1], repo.head)


def test_lfs_content_is_not_needed(lfs: RepositoryBuilder) -> None:
    lfs.story()
    lfs.commit("Add all")
    bare = lfs.clone("bare.git", "--bare")
    assert not (bare.path / "lfs").exists()
    document = index_document(indexed(bare))
    assert document == index_document(indexed(lfs))
    record = indexed(bare).get("datasets/iris@v1")
    assert record is not None
    assert (record.pointers, record.count("error")) == (2, 0)
    assert lineage_of(opened(bare), indexed(bare), "forest").findings == ()


def test_a_shallow_clone_says_before_its_boundary_and_not_a_wrong_commit(builder: Builder) -> None:
    repo = builder().workspace()
    repo.dataset("iris")
    repo.commit("Add iris")
    repo.commit("Between", {"NOTES.md": "x"})
    repo.dataset("iris", "v2")
    last = repo.commit("Add the next")
    shallow = repo.clone("shallow", "--depth=2")
    index = indexed(shallow)
    assert index.shallow
    assert introduced(index, "datasets/iris@v2") == last
    assert introduced(index, "datasets/iris@v1") is None
    record = index.get("datasets/iris@v1")
    assert record is not None
    assert record.boundary == repo.git("rev-parse", "HEAD~1")
    whole = repo.clone("whole", "--depth=50")
    assert not indexed(whole).shallow
    assert introduced(indexed(whole), "datasets/iris@v1") is not None


def test_absent_objects_leave_a_record_incomplete(builder: Builder) -> None:
    repo = builder().workspace()
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.story()  # its run names a code commit that nobody has
    repo.commit("Add all")
    partial = repo.clone("partial", "--filter=blob:none", "--bare")
    record = indexed(partial).get("models/forest@v1")
    assert record is not None
    assert (record.complete, record.digest) == (False, None)
    assert introduced(indexed(partial), "models/forest@v1") == repo.head
    assert indexed(partial).commits == {}
    assert {file.stored for file in describe(opened(partial), indexed(partial), "forest").files} == {"absent"}


def test_sha256_repositories_are_indexed_too(builder: Builder) -> None:
    repo = builder(object_format="sha256").workspace()
    repo.story()
    head = repo.commit("Add all")
    assert len(head) == 64
    index = indexed(repo)
    assert introduced(index, "models/forest@v1") == head
    assert lineage_of(opened(repo), index, "forest").findings == ()


def test_names_that_are_not_utf8_do_no_harm(builder: Builder) -> None:
    repo = builder().workspace()
    repo.dataset("iris")
    for name in (b"datasets/iris/v1/caf\xe9.csv", b"\xff.txt"):
        Path(repo.path, os.fsdecode(name)).write_bytes(b"x")
    repo.commit("Add")
    index = indexed(repo)
    assert b"iris" in dump_json(index_document(index))
    files = describe(opened(repo), index, "iris").files
    assert os.fsdecode(b"caf\xe9.csv") in {file.name for file in files}


@pytest.mark.parametrize("commit", ["HEAD", f"{'1' * 40}\nHEAD", "--help", "é" * 40, "1" * 39, ""])
def test_a_hostile_code_commit_is_not_asked_for(builder: Builder, commit: str) -> None:
    repo = builder().workspace()
    repo.run(metadata={"code": {"commit": commit, "dirty": False, "tree": "2" * 40}})
    head = repo.commit("Add")
    index = indexed(repo)
    assert index.commits == {}
    assert introduced(index, artifacts.RUN) == head


def test_a_code_commit_that_is_another_object_is_none(builder: Builder) -> None:
    repo = builder().workspace()
    repo.commit("Begin")
    blob = repo.git("rev-parse", "HEAD:strata.yaml")
    repo.run(metadata={"code": {"commit": blob, "dirty": False, "tree": "2" * 40}})
    repo.commit("Add")
    assert indexed(repo).commits == {}
