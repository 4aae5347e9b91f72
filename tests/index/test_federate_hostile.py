"""Members of a federation that lie, pretend, are huge, never answer: told, and never believed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from strata_git.cli.main import main
from strata_git.errors import StrataError
from strata_git.index.fetching import PUBLISHED, Limits
from strata_git.index.members import add_member, directory_of, read_members, remove_member, url_said
from tests.index.federating import (
    CITED,
    DESK,
    doubts,
    federation,
    fetched,
    forge,
    index_of,
)
from tests.index.opening import opened
from tests.support.builder import RepositoryBuilder


def test_an_index_that_lies_is_found_out_where_the_objects_are(
    asked: RepositoryBuilder, data: RepositoryBuilder
) -> None:
    document = index_of(data)
    document["artifacts"][0]["digest"] = "sha256:" + "0" * 64
    forge(data, document)
    fetched(asked, objects=True)
    told = [message for severity, member, message in doubts(asked) if (severity, member) == ("error", "data")]
    assert told == ["its published index lies about the digest of datasets/iris@v1"]
    assert federation(asked).select("data:iris@v1").record.digest == CITED["digest"]  # the objects count
    document["artifacts"][0]["tree"] = "1" * 40
    forge(data, document)
    fetched(asked, objects=True)
    told = [message for severity, _, message in doubts(asked) if severity == "error"]
    assert told == ["its published index lies about what its commit holds: datasets/iris@v1"]


HOSTILE: dict[str, object] = {
    "nothing": {},
    "a list": [],
    "another schema": {"schema": "strata/list/v1"},
    "wrong shapes": {"schema": "strata/index/v1", "artifacts": {"a": 1}, "stages": "x", "removed": 7},
    "odd entries": {"schema": "strata/index/v1", "artifacts": [None, 7, {"kind": "dataset"}, {"kind": [], "name": {}}]},
    "deep": None,
}


def test_a_hostile_index_is_told_and_ends_nothing(asked: RepositoryBuilder, data: RepositoryBuilder) -> None:
    for name, document in HOSTILE.items():
        forge(data, document, raw=b"[" * 100_000 if name == "deep" else b"")
        assert fetched(asked, names=["data"]) == {"data": ""}
        told = doubts(asked)
        assert {member for _, member, _ in told} == {"data"}, name
    assert federation(asked).select("train:forest@v1")


def test_forged_names_and_numbers_are_left_out(asked: RepositoryBuilder, data: RepositoryBuilder) -> None:
    document = index_of(data)
    good = document["artifacts"][0]
    evil = [
        {"name": "../../etc"}, {"name": "a\nb"}, {"version": "latest"}, {"kind": "script"}, {"tree": "x"},
        {"name": "\x1b[31m"}, {"version": None},
    ]  # fmt: skip
    odd = {**good, "name": "odd", "metrics": {"a": True, "b": "x", "c": 0.5}, "bytes": -5, "digest": "sha256:zz",
           "inputs": [{"ref": 7}, 3], "signers": [{"status": "excellent"}], "stages": ["root"]}  # fmt: skip
    document["artifacts"] += [{**good, **change} for change in evil] + [odd, good]
    document["revision"] = data.head
    forge(data, document)
    fetched(asked)
    part = next(part for part in federation(asked).parts if part.name == "data")
    assert [record.reference for record in part.index.artifacts] == ["datasets/iris@v1", "datasets/odd@v1"]
    record = part.index.get("datasets/odd@v1")
    assert record is not None
    assert (dict(record.metrics), record.bytes, record.digest, record.signers) == ({"c": 0.5}, 0, None, ())
    assert ("warning", "data", "8 entries of its published index cannot be read") in doubts(asked)


def test_another_repositorys_identity_is_told(asked: RepositoryBuilder, data: RepositoryBuilder) -> None:
    forge(data, index_of(data), identity=DESK)
    fetched(asked)
    assert any(
        "as here does: a copy, or a forgery" in message for _, member, message in doubts(asked) if member == "data"
    )


def test_a_reference_that_is_no_published_index(asked: RepositoryBuilder, data: RepositoryBuilder) -> None:
    data.git("tag", "-a", "x", "-m", "x")
    for target in ("HEAD", "refs/tags/x", "HEAD^{tree}"):
        data.git("update-ref", PUBLISHED, target)
        fetched(asked, names=["data"])
        ((severity, member, message),) = doubts(asked)
        assert (severity, member) == ("error", "data")
        assert message.startswith("its published index says nothing")


# --- hostile places


REFUSED = (
    "ext::sh -c 'touch owned'", "fd::17", "http://example.org/x.git", "git://example.org/x.git", "--upload-pack=touch",
    "", "a\nb", "ftp://example.org/x", "absent",
)  # fmt: skip


def test_places_and_names_that_are_refused(desk: RepositoryBuilder, data: RepositoryBuilder) -> None:
    for place in REFUSED:
        with pytest.raises(StrataError):
            add_member(opened(desk), place, "x", cwd=desk.path)
    for name in ("../x", "X", "here", "-", "a.b", "a/b"):
        with pytest.raises(StrataError):
            add_member(opened(desk), str(data.path), name, cwd=desk.path)
    assert read_members(opened(desk)) == {}


def test_places_that_are_taken(tmp_path: Path) -> None:
    for place in ("https://example.org/a.git", "ssh://git@example.org/a", "git@example.org:a/b.git", "file:///x"):
        assert url_said(place, tmp_path) == place
    assert url_said(".", tmp_path) == str(tmp_path)


def test_a_hook_or_a_program_of_a_member_never_runs(desk: RepositoryBuilder, data: RepositoryBuilder) -> None:
    mark = desk.path / "owned"
    for hook in ("post-checkout", "reference-transaction", "pre-auto-gc"):
        script = data.path / ".git/hooks" / hook
        script.write_text(f"#!/bin/sh\ntouch {mark}\n")
        script.chmod(0o755)
    data.write({".gitattributes": b"* filter=evil\n", ".gitmodules": b'[submodule "x"]\n\tpath = x\n\turl = ext::sh\n'})
    data.git("config", "filter.evil.smudge", f"touch {mark}")
    data.git("config", "core.fsmonitor", f"touch {mark}")
    data.commit("Evil", None, "--no-verify")
    mark.unlink(missing_ok=True)
    member = add_member(opened(desk), str(data.path), None, cwd=desk.path)
    assert fetched(desk) == {"data": ""}
    config = directory_of(opened(desk), member) / "config"
    config.write_text(config.read_text() + f"[core]\n\tsshCommand = touch {mark}\n\tfsmonitor = touch {mark}\n")
    assert fetched(desk) == {"data": ""}
    assert "touch" not in config.read_text()
    federation(desk)
    assert not mark.exists()


@pytest.fixture
def stuck(tmp_path: Path) -> Path:
    """An ssh that never answers."""
    script = tmp_path / "ssh"
    script.write_text("#!/bin/sh\nexec sleep 300\n")
    script.chmod(0o755)
    return script


def test_a_member_that_never_answers_is_given_up(desk: RepositoryBuilder, stuck: Path) -> None:
    desk.environ["GIT_SSH_COMMAND"] = str(stuck)
    add_member(opened(desk), "ssh://git@example.org/x.git", "slow", cwd=desk.path)
    told = fetched(desk, limits=Limits(seconds=0.5))
    assert "it took longer than 0.5 seconds" in told["slow"]
    assert os.listdir(desk.path / ".git/strata/federation") == ["members.json"]


def test_a_member_that_is_too_large_is_given_up(desk: RepositoryBuilder, data: RepositoryBuilder) -> None:
    add_member(opened(desk), str(data.path), None, cwd=desk.path)
    fetched(desk)
    told = fetched(desk, limits=Limits(bytes=10))
    assert "more than 10 bytes" in told["data"]


def test_a_password_is_not_shown(desk: RepositoryBuilder, capsys: pytest.CaptureFixture[str]) -> None:
    url = "https://ada:s3cret@127.0.0.1:9/x.git"
    add_member(opened(desk), url, "closed", cwd=desk.path)
    told = fetched(desk)["closed"]
    assert "s3cret" not in told
    assert main(["-C", str(desk.path), "federate", "list"]) in (0, 1)
    assert "s3cret" not in "".join(capsys.readouterr())


def test_a_damaged_list_or_repository_is_told(asked: RepositoryBuilder) -> None:
    place = asked.path / ".git/strata/federation"
    (place / "data.git/HEAD").unlink()
    told = doubts(asked)
    assert told == [("error", "data", "cannot be used: it is damaged.")]
    assert fetched(asked, names=["data"]) == {"data": ""}
    assert doubts(asked) == []
    remove_member(opened(asked), "data")
    assert sorted(path.name for path in place.iterdir()) == ["members.json", "train.git"]
    (place / "members.json").write_text("[]")
    with pytest.raises(StrataError):
        read_members(opened(asked))
