"""`verify`: every kind of damage is told, in the work tree and in commits, by pointer and by bytes."""

from __future__ import annotations

import pytest

from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import Keys

LIST = "datasets/iris/v1/CHECKSUMS.txt"
SIGNATURE = "datasets/iris/v1/SIGNATURE.asc"


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    repo = builder().workspace()
    repo.dataset()
    repo.commit()
    return repo


def row(repo: RepositoryBuilder, code: int, *words: str) -> dict[str, object]:
    answer = repo.strata("verify", "--format", "json", *words).expect(code).json()
    assert answer["schema"] == "strata/verify/v1"
    rows = answer["artifacts"]
    assert isinstance(rows, list)
    assert len(rows) == 1
    assert isinstance(rows[0], dict)
    return rows[0]


def rules(found: dict[str, object]) -> set[str]:
    findings = found["findings"]
    assert isinstance(findings, list)
    return {finding["rule"] for finding in findings if finding["severity"] != "info"}


def test_an_unsigned_artifact_is_fine(repo: RepositoryBuilder) -> None:
    found = row(repo, 0, "iris")
    assert (found["depth"], found["signatures"], found["verdict"]) == ("bytes", [], "ok")


@pytest.mark.parametrize(
    ("name", "data", "rule"),
    [
        ("train.csv", "tampered", "STR-C005"),
        ("train.csv", None, "STR-C003"),
        ("new.csv", "x", "STR-C004"),
        ("CHECKSUMS.txt", "x", "STR-C002"),
        ("CHECKSUMS.txt", None, "STR-C001"),
    ],
)
@pytest.mark.parametrize("deep", [(), ("--deep",)])
def test_damage_is_told(repo: RepositoryBuilder, name: str, data: str | None, rule: str, deep: tuple[str, ...]) -> None:
    repo.write({f"datasets/iris/v1/{name}": data})
    assert rule in rules(row(repo, 2, "iris", *deep))
    assert not rules(row(repo, 0, "iris", "--at", "HEAD", *deep))
    repo.commit("Damage")
    assert rule in rules(row(repo, 2, "iris", "--at", "HEAD", *deep))
    row(repo, 0, "iris", "--at", "HEAD^", *deep)


def test_a_list_rewritten_to_fit_is_not_what_was_released(repo: RepositoryBuilder) -> None:
    repo.write(artifacts.dataset("iris", files={"train": {"train.csv": b"a\n1\n"}, "test": {"test.csv": b"a\n2\n"}}))
    assert rules(row(repo, 2, "iris")) == {"STR-I001"}


def test_signatures_are_told_with_their_fingerprints(repo: RepositoryBuilder, keys: Keys) -> None:
    repo.write({SIGNATURE: keys.sign(repo.read(LIST), "alice")})
    signatures = row(repo, 0, "iris")["signatures"]
    assert isinstance(signatures, list)
    assert [(one["fingerprint"], one["status"]) for one in signatures] == [(keys.alice, "good")]
    assert signatures[0]["says"] == "valid, signer not enrolled"
    assert f"signature {keys.alice}" in repo.strata("verify", "iris").expect(0).out


def test_a_bad_signature_is_an_error_and_an_unknown_key_a_doubt(repo: RepositoryBuilder, keys: Keys) -> None:
    repo.write({SIGNATURE: keys.sign(b"other", "alice")})
    assert rules(row(repo, 2, "iris")) == {"STR-S002"}
    repo.write({SIGNATURE: "junk"})
    assert rules(row(repo, 2, "iris")) == {"STR-S001"}
    repo.write({SIGNATURE: keys.sign(repo.read(LIST), "alice")})
    keys.gpg("--yes", "--delete-secret-and-public-key", keys.alice)
    assert rules(row(repo, 1, "iris")) == {"STR-S004"}


def test_pointers_are_believed_unless_asked_for_bytes(lfs: RepositoryBuilder) -> None:
    lfs.dataset()
    lfs.commit()
    assert row(lfs, 0, "iris", "--at", "HEAD")["depth"] == "pointer"
    assert row(lfs, 0, "iris", "--at", "HEAD", "--deep")["depth"] == "bytes"
    assert row(lfs, 0, "iris", "--deep")["depth"] == "bytes"
    (stored,) = [path for path in (lfs.path / ".git/lfs/objects").rglob("*") if path.is_file()][:1]
    stored.chmod(0o644)
    stored.write_bytes(b"rotten")
    assert row(lfs, 0, "iris", "--at", "HEAD")["depth"] == "pointer"
    assert rules(row(lfs, 2, "iris", "--at", "HEAD", "--deep")) == {"STR-C005"}
    stored.unlink()
    found = row(lfs, 1, "iris", "--at", "HEAD", "--deep")
    assert (found["depth"], found["unseen"]) == ("pointer", 1)


def test_bytes_that_changed_behind_gits_back_are_seen_by_deep(repo: RepositoryBuilder) -> None:
    import os

    path = repo.path / "datasets/iris/v1/train.csv"
    repo.git("status")
    status = path.stat()
    path.write_bytes(path.read_bytes().replace(b"5.1", b"9.9"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    repo.git("update-index", "--assume-unchanged", "datasets/iris/v1/train.csv")
    assert rules(row(repo, 2, "iris", "--deep")) == {"STR-C005"}


def test_nothing_named_means_everything(repo: RepositoryBuilder) -> None:
    repo.story()
    answer = repo.strata("verify", "--format", "json").expect(0).json()
    rows = answer["artifacts"]
    assert isinstance(rows, list)
    assert [each["ref"] for each in rows] == ["datasets/iris@v1", "models/forest@v1", artifacts.RUN]
    assert answer["ledger"] == {"models": 0, "complaints": [], "unjudged": None, "trust": "unprotected"}


@pytest.mark.parametrize("word", ["nosuch", "iris@v9", "forest@production", "??", "models/iris@v1"])
def test_words_that_name_nothing(repo: RepositoryBuilder, word: str) -> None:
    assert repo.strata("verify", word).expect(3, 64).err.count("\n") >= 1


def test_a_tag_that_only_looks_like_an_event_is_told(repo: RepositoryBuilder) -> None:
    repo.model()
    repo.commit("Add forest")
    repo.git("tag", "forest#production#1")
    done = repo.strata("verify").expect(2)
    assert "STR-P001" in done.out
    repo.strata("verify", "forest").expect(0)


def test_a_note_that_repeats_no_event_is_told(repo: RepositoryBuilder) -> None:
    """Somebody who reads notes might believe it."""
    repo.git("notes", "--ref=strata", "add", "-m", '{"predicateType":"git-strata:promotion/v1"}', "HEAD")
    answer = repo.strata("verify", "--format", "json").expect(1).json()
    assert [complaint["rule"] for complaint in answer["ledger"]["complaints"]] == ["STR-P018"]
