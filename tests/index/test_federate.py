"""Several repositories as one: fetched with little, published with a signature, asked by digest."""

from __future__ import annotations

import hashlib
import json
import subprocess

import pytest

from strata_git.cli.main import main
from strata_git.config import Settings
from strata_git.index.federate import assemble
from strata_git.index.fetching import PUBLISHED
from strata_git.index.members import add_member
from strata_git.index.published import publish
from tests.index.federating import (
    CITED,
    DATA,
    TRAIN,
    doubts,
    federation,
    fetched,
    member_git,
    sign,
)
from tests.index.opening import opened
from tests.ledger.court import Court
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import Keys

# --- fetched


def test_lineage_goes_from_one_repository_to_the_other_by_digest(asked: RepositoryBuilder) -> None:
    made = federation(asked)
    assert made.doubts == ()
    assert {found.id for found in made.artifacts()} == {
        "data:datasets/iris@v1", "train:models/forest@v1", f"train:{artifacts.RUN}",
    }  # fmt: skip
    back = made.trace([made.select("forest@v1").id], backwards=True)
    assert set(back.nodes) == {"train:models/forest@v1", f"train:{artifacts.RUN}", "data:datasets/iris@v1"}
    forth = made.trace([found.id for found in made.holding(str(CITED["digest"]))], backwards=False)
    assert "train:models/forest@v1" in forth.nodes
    assert [found.id for found in made.holding(str(CITED["content_hash"])[:20])] == ["data:datasets/iris@v1"]


def test_nothing_is_checked_out_and_payload_stays_there(asked: RepositoryBuilder, data: RepositoryBuilder) -> None:
    payload = data.git("rev-parse", "HEAD:datasets/iris/v1/train.csv")
    document = data.git("rev-parse", "HEAD:datasets/iris/v1/metadata.yaml")
    here = member_git(asked, "data", "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
    assert document in here
    assert payload not in here
    place = asked.path / ".git/strata/federation"
    assert sorted(path.name for path in place.iterdir()) == ["data.git", "members.json", "train.git"]
    assert not (place / "data.git/hooks").exists()
    assert (place / "members.json").stat().st_mode & 0o077 == 0
    assert asked.git("status", "--porcelain") == ""
    assert asked.git("for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_a_copy_under_another_name_is_the_same(asked: RepositoryBuilder, train: RepositoryBuilder) -> None:
    copied = artifacts.dataset("flowers", "v3", metadata={"description": "Copied."})
    train.write(copied)
    train.commit("Copy", None, "--no-verify")
    fetched(asked)
    made = federation(asked)
    assert ("data:datasets/iris@v1", "train:datasets/flowers@v3", "same content") in {
        (link.source, link.target, link.relation) for link in made.links
    }
    assert "train:models/forest@v1" in made.trace(["train:datasets/flowers@v3"], backwards=False).nodes


def test_what_is_gone_there_is_gone_here(asked: RepositoryBuilder, data: RepositoryBuilder) -> None:
    data.git("branch", "extra")
    fetched(asked)
    data.git("branch", "-D", "extra")
    fetched(asked, names=["data"])
    assert member_git(asked, "data", "for-each-ref", "--format=%(refname)").split() == ["refs/heads/main"]


def test_a_repository_that_vanished_is_told_and_what_was_fetched_stays(
    asked: RepositoryBuilder, train: RepositoryBuilder
) -> None:
    train.path.rename(train.path.with_name("elsewhere"))
    told = fetched(asked)
    assert told["data"] == ""
    assert "train" in told["train"]
    assert "could not be fetched" in told["train"]
    assert federation(asked).select("train:forest@v1").record.metrics == {"accuracy": 0.9}


def test_sha256_beside_sha1(desk: RepositoryBuilder, builder: Builder) -> None:
    other = builder("other", object_format="sha256").workspace(settings={"repository": TRAIN})
    other.dataset("iris")
    other.commit("Iris")
    add_member(opened(desk), str(other.path), "other", cwd=desk.path)
    assert fetched(desk) == {"other": ""}
    assert federation(desk).select("other:iris@v1").record.digest == CITED["digest"]


# --- published


def test_a_published_index_is_all_that_is_fetched(
    desk: RepositoryBuilder, data: RepositoryBuilder, train: RepositoryBuilder, keys: Keys
) -> None:
    sign(data, keys)
    assert data.git("verify-tag", "--raw", PUBLISHED) == ""
    for repo in (data, train):
        add_member(opened(desk), str(repo.path), None, cwd=desk.path)
    fetched(desk)
    assert member_git(desk, "data", "for-each-ref", "--format=%(refname)") == PUBLISHED
    made = federation(desk)
    assert made.doubts == ()
    part = next(part for part in made.parts if part.name == "data")
    assert (part.origin, part.trusted, part.repository) == ("published", True, DATA)
    assert part.index.get("datasets/iris@v1") is not None
    assert "data:datasets/iris@v1" in made.trace(["train:models/forest@v1"], backwards=True).nodes


def test_stock_tools_check_what_was_published(data: RepositoryBuilder, keys: Keys) -> None:
    sign(data, keys)
    record = json.loads(data.git("cat-file", "tag", PUBLISHED).partition("Strata-Record: ")[2].split("\n")[0])
    shown = subprocess.run(["git", "show", f"{PUBLISHED}:index.json"], cwd=data.path, capture_output=True, check=True)
    assert hashlib.sha256(shown.stdout).hexdigest() == record["sha256"]
    assert record["repo"] == DATA
    assert data.git("rev-list", "--count", PUBLISHED) == "1"


def test_an_unknown_key_is_shown_as_unverified(
    asked: RepositoryBuilder, data: RepositoryBuilder, keys: Keys, hermetic: dict[str, str]
) -> None:
    keys.add("mallory")
    publish(opened(data), Settings(repository=DATA), key=keys.fingerprint("mallory"))
    fetched(asked)
    keys.gpg("--batch", "--yes", "--delete-secret-and-public-key", keys.fingerprint("mallory"))
    assert doubts(asked) == [("warning", "data", "its published index is unverified: the signature is unknown-key")]
    part = next(part for part in federation(asked).parts if part.name == "data")
    assert not part.trusted
    assert part.index.get("datasets/iris@v1") is not None


def test_under_a_policy_whoever_it_names_now_vouches(
    asked: RepositoryBuilder, data: RepositoryBuilder, keys: Keys
) -> None:
    def trusted() -> bool:
        fetched(asked, names=["data"])
        made = assemble(opened(asked), Settings(repository=artifacts.REPOSITORY))
        return next(part.trusted for part in made.parts if part.name == "data")

    court = Court(asked, keys)
    court.enact("bob")
    sign(data, keys)
    assert trusted()
    publish(opened(data), Settings(repository=DATA), key=keys.bob)
    assert trusted()
    revoked = {"bob": {"revoked": {"at": "2026-01-31T00:00:00Z", "reason": "lost"}}}
    court.enact("bob", principals=revoked)
    assert not trusted()
    keys.add("mallory")
    publish(opened(data), Settings(repository=DATA), key=keys.fingerprint("mallory"))
    assert not trusted()


# --- the command


def test_the_commands(asked: RepositoryBuilder, capsys: pytest.CaptureFixture[str]) -> None:
    def said(*words: str, code: int = 0) -> str:
        assert main(["-C", str(asked.path), "federate", *words]) == code, capsys.readouterr()
        return capsys.readouterr().out

    assert [line.split()[:2] for line in said("list").splitlines()[1:]] == [["data", "1"], ["train", "2"]]
    assert "train" in said("list", "models")
    assert "data" in said("search", "IRIS")
    assert "datasets/iris@v1" in said("whois", str(CITED["digest"]))
    assert said("whois", "f" * 64, code=2) == ""
    tree = said("lineage", "forest@v1")
    assert "└─ taken from: data:datasets/iris@v1" in tree
    assert "train:models/forest@v1" in said("impact", "iris@v1")
    assert "train:models/forest@v1" in said("lineage", "iris@v1", "--down")
    assert said("index").startswith("3 repositories: 1 datasets, 1 models, 0 prompts, 1 runs, 0 services; 2 links")
    for words in (
        ["index"],
        ["list"],
        ["list", "datasets"],
        ["stages"],
        ["lineage", "forest@v1"],
        ["impact", "iris@v1"],
    ):
        assert json.loads(said(*words, "--format", "json"))["schema"].startswith("strata/fed")
    assert main(["-C", str(asked.path), "federate", "whois", "xyz"]) == 64
    assert main(["-C", str(asked.path), "federate", "lineage", "nobody:x@v1"]) == 3


def test_adding_by_the_command(
    desk: RepositoryBuilder, data: RepositoryBuilder, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*words: str, code: int = 0) -> tuple[str, str]:
        assert main(["-C", str(desk.path), *words]) == code
        return tuple(capsys.readouterr())  # type: ignore[return-value]

    assert "data: fetched" in said("federate", "add", "../data")[1]
    assert "already" in said("federate", "add", "../data", code=3)[1]
    assert "was not added" in said("federate", "add", "file:///nowhere/at/all", "--name", "lost", code=3)[1]
    assert "lost" not in said("federate", "list")[0]
    over = json.loads(said("report", "--since", "2026-01-01", "--federation", "--format", "json")[0])
    assert over["notes"] == ["data: built from its objects"]
