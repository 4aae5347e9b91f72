"""`git strata index, list, show, lineage`, as people and programs use them."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime

import pytest

from strata_git.integrity.gpg import Gpg, GpgSigner
from strata_git.ledger.events import read_ledger
from strata_git.ledger.writing import Author, Draft, write_events
from strata_git.repo.command import Repository
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import Keys

SCHEMAS = {
    ("index",): "strata/index/v1",
    ("list", "models"): "strata/list/v1",
    ("show", "forest@v1"): "strata/artifact/v1",
    ("lineage", "forest@v1"): "strata/lineage/v1",
}
MOVES = (("experimental", None, False), ("staging", "experimental", False), ("production", "staging", True),
         ("production", "staging", False))  # fmt: skip


@pytest.fixture
def story(builder: Builder) -> RepositoryBuilder:
    """A dataset, a run that started from a commit of this repository, and its model, in two commits."""
    repo = builder().workspace()
    start = repo.commit("Begin")
    repo.dataset("iris")
    cited = [artifacts.cite(artifacts.dataset("iris"), "datasets/iris/v1")]
    repo.run(inputs=cited, metadata={"code": {"commit": start, "dirty": False, "tree": "2" * 40}})
    repo.model("forest", datasets=cited)
    repo.commit("Add all")
    return repo


def promote(repo: RepositoryBuilder, keys: Keys, version: str = "v1") -> None:
    """Bring a version of forest, introduced by HEAD, into production."""
    inner = Repository.discover(repo.path, repo.environ)
    try:
        head, place = repo.head, f"models/forest/{version}"
        drafts = [
            Draft(version, origin, target, head, repo.git("rev-parse", f"HEAD:{place}"), _digest(repo, place), leaving)
            for target, origin, leaving in MOVES
        ]
        gpg = Gpg(None, environ=repo.environ)
        now = datetime(2026, 1, 6, tzinfo=UTC)
        author = Author(GpgSigner(gpg, keys.alice), gpg, artifacts.REPOSITORY, head, now, "it is good")
        write_events(inner, read_ledger(inner).model("forest"), drafts, author, recorded=None)
    finally:
        inner.close()


def _digest(repo: RepositoryBuilder, place: str) -> str:
    from strata_git.integrity.checksums import digest

    return digest(repo.read(f"{place}/CHECKSUMS.txt"))


@pytest.mark.parametrize("words", SCHEMAS, ids=lambda words: words[0])
def test_json_has_its_schema_and_text_is_text(story: RepositoryBuilder, words: tuple[str, ...]) -> None:
    document = json.loads(story.strata(*words, "--format", "json").expect(0).out)
    assert document["schema"] == SCHEMAS[words]
    assert document["revision"] == story.head
    assert "forest" in story.strata(*words).expect(0).out or words == ("index",)


def test_the_production_models_lineage_names_data_run_code_tag_and_signer(story: RepositoryBuilder, keys: Keys) -> None:
    promote(story, keys)
    text = story.strata("lineage", "forest@production", "--format", "json").expect(0).out
    document = json.loads(text)
    nodes = {node["id"]: node for node in document["nodes"]}
    assert document["artifact"] == "models/forest@v1"
    true = artifacts.cite(artifacts.dataset("iris"), "datasets/iris/v1")
    assert nodes["datasets/iris@v1"]["content_hash"] == true["content_hash"]
    assert nodes[artifacts.RUN]["status"] == "succeeded"
    assert nodes[story.git("rev-parse", "HEAD~1")]["kind"] == "commit"
    event = nodes["forest#production#3"]
    assert event["oid"] == story.git("rev-parse", "refs/tags/forest#production#3")
    assert event["signer"] == {"fingerprint": keys.alice, "user": "Alice Tester <alice@example.org>", "status": "good"}
    assert (event["current"], event["sound"], event["reason"]) == (True, True, "it is good")
    assert all(edge["matches"] for edge in document["edges"])
    assert document["findings"] == []
    for needed in (r"sha256:[0-9a-f]{64}", r"run-\d{4}-\d\d-\d\d-\d+", r'"[0-9a-f]{40}"', r"#production#\d+"):
        assert re.search(needed, text)


def test_a_bare_clone_answers_every_command_in_the_same_words(story: RepositoryBuilder, keys: Keys) -> None:
    promote(story, keys)
    bare = story.clone("bare.git", "--bare")
    for words in (*SCHEMAS, ("lineage", "forest@production"), ("list", "datasets"), ("list", "runs")):
        for style in ("text", "json"):
            told = [one.strata(*words, "--format", style).expect(0).out for one in (story, bare)]
            assert told[0] == told[1]


def test_without_the_signers_key_the_version_is_not_in_production(
    story: RepositoryBuilder, keys: Keys, tmp_path_factory: pytest.TempPathFactory
) -> None:
    promote(story, keys)
    nobody = {"GNUPGHOME": str(tmp_path_factory.mktemp("g", numbered=True))}
    answer = story.strata("lineage", "forest@production", env=nobody).expect(3)
    assert "No version of forest is in production." in answer.err
    answer = story.strata("lineage", "forest@v1", env=nobody).expect(2)
    assert "STR-P004" in answer.err


def test_a_forged_content_hash_in_a_run_ends_with_2(builder: Builder) -> None:
    repo = builder().workspace()
    true = artifacts.cite(artifacts.dataset("iris"), "datasets/iris/v1")
    repo.dataset("iris")
    repo.run(inputs=[true | {"content_hash": f"sha256:{'0' * 64}"}])
    repo.model("forest", datasets=[true])
    repo.commit("Add all")
    answer = repo.strata("lineage", "forest@v1").expect(2)
    assert "read datasets/iris@v1, NOT AS RECORDED" in answer.out
    assert "STR-X003" in answer.err
    document = json.loads(repo.strata("lineage", "forest@v1", "--format", "json").expect(2).out)
    assert [finding["rule"] for finding in document["findings"]] == ["STR-X003"]
    repo.strata("index").expect(0)
    repo.strata("show", artifacts.RUN).expect(0)


def test_lineage_and_doctor_tell_the_same_about_references(builder: Builder) -> None:
    repo = builder().workspace()
    repo.dataset("wine")
    repo.run(inputs=[{"ref": "datasets/iris@v1", "digest": f"sha256:{'0' * 64}"}])
    repo.model("forest", datasets=[artifacts.cite(artifacts.dataset("wine"), "datasets/wine/v1")])
    repo.commit("Add all")
    found = [
        {(one["rule"], one["path"]) for one in json.loads(repo.strata(*words, "--format", "json").out)["findings"]}
        for words in (("lineage", "forest@v1"), ("doctor", "--at", "HEAD"))
    ]
    assert found[0] == {one for one in found[1] if one[0].startswith("STR-X")}
    assert found[0]


def test_the_index_is_written_to_a_file_that_equals_a_rebuild(story: RepositoryBuilder, keys: Keys) -> None:
    promote(story, keys)
    assert story.strata("index", "--json", "a.json").expect(0).out.startswith(f"revision {story.head}")
    story.strata("index", "--rebuild", "--json", "b.json").expect(0)
    assert story.read("a.json") == story.read("b.json")
    assert story.strata("index", "--format", "json").expect(0).out.encode() == story.read("a.json")
    for kept in (story.path / ".git/strata/cache").iterdir():
        kept.write_bytes(os.urandom(100))
    story.strata("index", "--json", "c.json").expect(0)
    assert story.read("a.json") == story.read("c.json")
    index = json.loads(story.read("a.json"))
    assert index["counts"] == {"datasets": 1, "models": 1, "prompts": 0, "runs": 1, "services": 0}
    assert [event["tag"] for event in index["stages"]] == [
        "forest@v1.0.0", "forest#staging#1", "forest#staging!#2", "forest#production#3"
    ]  # fmt: skip
    assert [one["stages"] for one in index["artifacts"] if one["kind"] == "model"] == [["production"]]


def test_the_index_is_made_whatever_is_wrong(story: RepositoryBuilder, keys: Keys) -> None:
    promote(story, keys)
    story.git("tag", "-d", "forest#staging!#2")
    story.commit("Tamper", {"models/forest/v1/card.md": "other", "datasets/iris/v1/metadata.yaml": "&a [*a]"})
    document = json.loads(story.strata("index", "--format", "json").expect(0).out)
    judged = {one["reference"]: one["judged"]["errors"] for one in document["artifacts"]}
    assert all(judged[name] for name in ("models/forest@v1", "datasets/iris@v1"))
    assert {finding["rule"] for finding in document["complaints"]["forest"]} >= {"STR-P006", "STR-P009"}
    assert "events of 1 model are in doubt" in story.strata("index").expect(0).out


def test_any_revision_can_be_listed(story: RepositoryBuilder) -> None:
    story.dataset("iris", "v2")
    story.commit("Add the next")
    assert "iris@v2" in story.strata("list", "datasets").expect(0).out
    assert "iris@v2" not in story.strata("list", "datasets", "--at", "HEAD~1").expect(0).out
    story.strata("show", "iris@v2", "--at", "HEAD~1").expect(3)
    assert "'nowhere' names no commit" in story.strata("list", "datasets", "--at", "nowhere").expect(3).err


def test_what_there_is_none_of_is_said_aside(story: RepositoryBuilder) -> None:
    answer = story.strata("list", "prompts").expect(0)
    assert (answer.out, "no prompts" in answer.err) == ("", True)
    document = json.loads(story.strata("list", "prompts", "--format", "json").expect(0).out)
    assert document["artifacts"] == []
    story.strata("list", "nonsense").expect(64)


def test_before_the_first_commit_there_is_nothing(builder: Builder) -> None:
    repo = builder().workspace()
    assert "nothing is committed yet" in repo.strata("index").expect(0).out
    assert json.loads(repo.strata("index", "--format", "json").expect(0).out)["revision"] is None
    assert "There is no iris@v1." in repo.strata("show", "iris@v1").expect(3).err


def test_show_tells_who_made_it_of_what_and_who_uses_it(story: RepositoryBuilder, keys: Keys) -> None:
    promote(story, keys)
    model = story.strata("show", "forest@v1").expect(0).out
    for needed in (story.head, "Ada Tester", "accuracy = 0.9", artifacts.RUN, "stage        production", "model.skops"):
        assert needed in model
    assert "entered production (now) 2026-01-06T00:00:03Z by forest#production#3 (tag " in model
    data = story.strata("show", "datasets/iris/v1").expect(0).out
    assert f"used by\n  models/forest@v1\n  {artifacts.RUN}" in data
    document = json.loads(story.strata("show", "iris", "--format", "json").expect(0).out)
    assert {file["path"] for file in document["listing"]} == {"CHECKSUMS.txt", "metadata.yaml", "test.csv", "train.csv"}
    assert document["used_by"] == ["models/forest@v1", artifacts.RUN]


def test_the_shallow_boundary_is_told(builder: Builder) -> None:
    repo = builder().workspace()
    repo.dataset("iris")
    repo.commit("Add iris")
    repo.commit("Next", {"NOTES.md": "x"})
    shallow = repo.clone("shallow", "--depth=1")
    assert "before the shallow boundary" in shallow.strata("show", "iris@v1").expect(0).out
    assert "before the shallow boundary" in shallow.strata("lineage", "iris@v1").expect(0).out
    assert "shallow" in shallow.strata("index").expect(0).out
    document = json.loads(shallow.strata("show", "iris@v1", "--format", "json").expect(0).out)
    assert (document["introduced"], document["introduced_before"]) == (None, repo.head)


def test_words_for_terminals_are_escaped(builder: Builder) -> None:
    repo = builder().workspace()
    repo.dataset("iris", metadata={"description": "\u202eevil\u2066"})
    repo.commit("Add \x1b[31mred", None, "--author", "\u202eMallory <m@example.org>")
    for words in (("show", "iris"), ("list", "datasets"), ("lineage", "iris")):
        told = repo.strata(*words).expect(0).out
        assert not set(told) & set("\x1b\u202e\u2066")


def test_surrogates_in_a_record_do_not_stop_json(builder: Builder) -> None:
    repo = builder().workspace()
    repo.run(metadata={"experiment": "x"}, replace={"run.yaml": b'id: x\nexperiment: "\\ud800"\n'})
    repo.commit("Add")
    for words in (("index",), ("show", artifacts.RUN), ("list", "runs")):
        json.loads(repo.strata(*words, "--format", "json").expect(0).out)
