"""What people get wrong, or their machine lacks: a sentence, never a traceback, and nothing half-written."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import Keys

COMMANDS = (
    ("dataset", "add", "d.csv", "--name", "iris"),
    ("checksum",),
    ("sign", "iris"),
    ("verify",),
    ("status",),
)
"""Each needs a repository."""


@pytest.fixture
def outside(hermetic: dict[str, str], tmp_path: Path) -> RepositoryBuilder:
    place = tmp_path / "outside"
    place.mkdir()
    (place / "d.csv").write_text("a\n1\n")
    return RepositoryBuilder(place, hermetic)


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    return builder().workspace().write({"d.csv": "a\n1\n"})


def without(program: str, hermetic: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """An environment in which everything is installed but `program`."""
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    for folder in os.environ["PATH"].split(os.pathsep):
        for tool in Path(folder).iterdir() if Path(folder).is_dir() else ():
            if tool.name != program and not (bin_ / tool.name).is_symlink():
                (bin_ / tool.name).symlink_to(tool)
    return hermetic | {"PATH": str(bin_)}


def seen(place: Path) -> set[str]:
    return {str(path.relative_to(place)) for path in place.rglob("*")}


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_not_a_repository(outside: RepositoryBuilder, words: tuple[str, ...]) -> None:
    done = outside.strata(*words).expect(3)
    assert "is not in a git repository" in done.err
    assert "git strata init" in done.err
    assert seen(outside.path) == {"d.csv"}


@pytest.mark.parametrize("words", COMMANDS[:3] + COMMANDS[4:], ids=lambda words: words[0])
def test_a_bare_repository(builder: Builder, outside: RepositoryBuilder, words: tuple[str, ...]) -> None:
    bare = builder("bare", bare=True)
    assert "is a bare repository" in bare.strata(*words).expect(3).err
    assert "is a bare repository" in bare.strata("init").expect(3).err


def test_a_bare_repository_is_verified_at_head(builder: Builder) -> None:
    bare = builder("bare", bare=True)
    assert "no commit yet" in bare.strata("verify").expect(3).err
    repo = builder().workspace()
    repo.dataset()
    repo.commit()
    repo.git("push", "--quiet", bare.path.as_uri(), "main")
    assert "1 ok" in bare.strata("verify").expect(0).out


def test_no_commits_yet(repo: RepositoryBuilder) -> None:
    repo.strata("status").expect(0)
    repo.strata("verify").expect(0)
    assert "no commit yet" in repo.strata("verify", "--at", "HEAD").expect(3).err
    repo.strata("checksum").expect(0)
    repo.strata("dataset", "add", "d.csv", "--name", "iris", "--commit").expect(0)
    assert [path for path in repo.paths() if "/data/" in path] == ["datasets/iris/v1/data/d.csv"]


def test_a_refusal_before_the_first_commit_leaves_the_index_empty(repo: RepositoryBuilder) -> None:
    hook = repo.path / ".git/hooks/pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    repo.strata("dataset", "add", "d.csv", "--name", "iris", "--commit").expect(3)
    assert repo.git("ls-files") == ""


def test_a_detached_head(repo: RepositoryBuilder) -> None:
    repo.commit()
    repo.git("checkout", "--quiet", "--detach")
    done = repo.strata("dataset", "add", "d.csv", "--name", "iris", "--commit").expect(0)
    assert "HEAD is detached" in done.out
    repo.strata("status").expect(0)
    repo.strata("verify").expect(0)


def test_in_the_middle_of_a_merge(repo: RepositoryBuilder) -> None:
    repo.commit("One", {"x": "1"})
    repo.git("checkout", "--quiet", "-b", "other")
    repo.commit("Two", {"x": "2"})
    repo.git("checkout", "--quiet", "main")
    repo.commit("Three", {"x": "3"})
    repo.try_git("merge", "other").expect(1)
    done = repo.strata("dataset", "add", "d.csv", "--name", "iris", "--commit").expect(3)
    assert "git" in done.err


def test_git_lfs_is_missing(hermetic: dict[str, str], tmp_path: Path, outside: RepositoryBuilder) -> None:
    environ = without("git-lfs", hermetic, tmp_path)
    bare = RepositoryBuilder(outside.path, environ)
    if bare.try_git("lfs", "version").code == 0:
        pytest.skip("git brings git-lfs along in its own directory")
    done = bare.strata("init", "w").expect(3)
    assert "Git LFS is not installed" in done.err
    assert "--no-lfs" in done.err
    assert seen(outside.path) == {"d.csv"}
    bare.strata("init", "--no-lfs", "w").expect(0)
    assert "filter=lfs" not in (outside.path / "w/.gitattributes").read_text()


def test_git_is_missing(hermetic: dict[str, str], tmp_path: Path, outside: RepositoryBuilder) -> None:
    environ = without("git", hermetic, tmp_path)
    for words in (*COMMANDS, ("init", "w")):
        assert "git was not found" in RepositoryBuilder(outside.path, environ).strata(*words).expect(3).err
    assert seen(outside.path) == {"d.csv"}


def test_there_is_no_key(repo: RepositoryBuilder) -> None:
    repo.dataset()
    done = repo.strata("sign", "iris").expect(3)
    assert "no secret key" in done.err
    assert "user.signingkey" in done.err
    assert not (repo.path / "datasets/iris/v1/SIGNATURE.asc").exists()


def test_a_passphrase_without_a_terminal(repo: RepositoryBuilder, keys: Keys) -> None:
    repo.dataset()
    locked = keys.locked()
    done = repo.strata("sign", "iris", "--key", locked).expect(3)
    assert "needs its passphrase, and there is no terminal to ask on" in done.err
    assert "STRATA_GPG_PASSPHRASE_FILE" in done.err
    assert not (repo.path / "datasets/iris/v1/SIGNATURE.asc").exists()


def test_gpg_is_missing(hermetic: dict[str, str], tmp_path: Path, repo: RepositoryBuilder, keys: Keys) -> None:
    repo.dataset()
    repo.write({"datasets/iris/v1/SIGNATURE.asc": keys.sign(repo.read("datasets/iris/v1/CHECKSUMS.txt"), "alice")})
    environ = hermetic | {"GIT_CONFIG_GLOBAL": str(tmp_path / "config")}
    (tmp_path / "config").write_text("[gpg]\n\tprogram = /nosuch/gpg\n")
    bare = RepositoryBuilder(repo.path, environ)
    assert "gpg" in bare.strata("sign", "iris").expect(3).err
    assert "signatures not judged" in bare.strata("verify", "iris").expect(0).out


def test_a_directory_that_cannot_be_written(repo: RepositoryBuilder, outside: RepositoryBuilder) -> None:
    repo.write({".strata": "a file where a directory is expected"})
    assert "could not be written" in repo.strata("dataset", "add", "d.csv", "--name", "iris").expect(3).err
    assert not (repo.path / "datasets").exists()
    assert "is not a directory" in outside.strata("init", "d.csv").expect(3).err
    assert "could not be written" in outside.strata("init", "d.csv/w").expect(3).err
    assert seen(outside.path) == {"d.csv"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_directory(outside: RepositoryBuilder) -> None:
    outside.path.chmod(0o555)
    try:
        assert "could not be written" in outside.strata("init", "w").expect(3).err
    finally:
        outside.path.chmod(0o755)


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs mount namespaces")
def test_a_read_only_file_system(repo: RepositoryBuilder) -> None:
    repo.commit()
    script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 99\ncd "$1" && shift && exec "$@"'
    words = ["python3", "-m", "strata_git", "dataset", "add", "d.csv", "--name", "iris"]
    done = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", script, "sh", str(repo.path), *_ours(words)],
        env=repo.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode in (1, 99):
        pytest.skip("no mount namespaces here")
    assert done.returncode == 3, done.stderr
    assert "could not be written: Read-only file system" in done.stderr
    assert not (repo.path / "datasets").exists()


def _ours(words: list[str]) -> list[str]:
    import sys

    return [sys.executable, *words[1:]]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("dataset", "add", "nosuch", "--name", "iris"), 3, "No such file"),
        (("dataset", "add", "d.csv", "--name", "Iris"), 64, "cannot name a dataset"),
        (("dataset", "add", "d.csv"), 64, "--name"),
        (("dataset", "add", "d.csv", "--name", "iris", "--split", "train"), 64, "NAME=GLOB"),
        (("dataset", "add", "d.csv", "--name", "iris", "--split", "Train=*"), 64, "cannot name a split"),
        (("dataset", "add", "d.csv", "--name", "iris", "--split", "train=../*"), 64, "leads out"),
        (("dataset", "add", "d.csv", "--name", "iris", "--split", "train=*.png"), 3, "nothing in"),
        (("dataset", "add", "d.csv", "--name", "iris", "--target", "a"), 64, "--target"),
        (("dataset", "add", "/dev/null", "--name", "iris"), 3, "neither a file nor a directory"),
        (("checksum", "datasets/iris/v1"), 3, "There is no"),
        (("checksum", "/"), 3, "outside the repository"),
        (("checksum", "--print", "nosuch"), 3, "neither a file nor a directory"),
        (("sign",), 64, "Missing argument"),
        (("sign", "iris@v1"), 3, "There is no"),
        (("verify", "--at", "nosuch"), 3, "names no commit"),
        (("verify", "--at", "--upload-pack=x"), 3, "names no commit"),
        (("explain", "C999"), 64, "There is no rule"),
        (("explain", "\x1b[31m"), 64, "There is no rule"),
        (("nosuch",), 64, "No such command"),
    ],
)
def test_words_that_cannot_be_meant(repo: RepositoryBuilder, words: tuple[str, ...], code: int, told: str) -> None:
    before = seen(repo.path)
    done = repo.strata(*words).expect(code)
    assert told in done.err
    assert "\x1b" not in done.err
    assert {path for path in seen(repo.path) if not path.startswith((".git/", ".strata"))} == {
        path for path in before if not path.startswith((".git/", ".strata"))
    }


def test_a_name_claimed_by_two_kinds(repo: RepositoryBuilder) -> None:
    repo.dataset("forest")
    repo.model("forest")
    done = repo.strata("verify", "forest@v1").expect(3)
    assert "datasets/forest@v1 or models/forest@v1" in done.err


def test_settings_that_cannot_be_read(repo: RepositoryBuilder) -> None:
    repo.dataset()
    repo.write({"strata.yaml": "lfs: perhaps\n"})
    assert "strata.yaml:1: 'lfs' must be true or false" in repo.strata("sign", "iris").expect(3).err
    assert "strata.yaml:1" in repo.strata("init", "--no-hooks").expect(3).err


def test_rules_are_explained_with_their_clause(outside: RepositoryBuilder) -> None:
    told = outside.strata("explain", "STR-C005").expect(0).out
    assert "TFC-0008-2.4" in told
    assert "**2.4**" in told
    rules = outside.strata("explain", "--format", "json").expect(0).json()["rules"]
    assert isinstance(rules, list)
    for rule in rules:
        assert rule["id"] in outside.strata("explain", rule["id"]).expect(0).out
        break


def test_every_rule_has_its_clause_in_the_contracts() -> None:
    from strata_git.checks.catalog import RULES
    from strata_git.checks.clause import clause_text

    assert [rule.id for rule in RULES.values() if not clause_text(rule)] == []


def test_status_tells_what_to_do_next(repo: RepositoryBuilder) -> None:
    repo.commit()
    repo.model()
    answer = repo.strata("status", "--format", "json").expect(0).json()
    assert answer["uncommitted"] == ["models/forest@v1"]
    assert answer["unsigned"] == ["models/forest@v1"]
    steps = answer["next"]
    assert isinstance(steps, list)
    assert "git add models/forest/v1 && git commit -m 'Add models/forest@v1'" in steps
    assert "git strata install" in steps
    assert "unsigned: models/forest@v1" in repo.strata("status").expect(0).out
