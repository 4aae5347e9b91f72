"""What git sees of us: the gates decide cheaply, the entry point never shows a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from strata_git.errors import StrataError
from strata_git.hooks import entry
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    made = builder().workspace().install_hooks()
    made.commit("Workspace")
    return made


def program(repo: RepositoryBuilder, text: str | None) -> None:
    """Put another git-strata-hook in the place the hooks name; None: none at all, nor on PATH."""
    place = repo.path.parent / "program"
    for hook in (repo.path / ".git/hooks").glob("pre-*"):
        if hook.suffix != ".sample":
            lines = [f"hook='{place}'" if line.startswith("hook=") else line for line in hook.read_text().split("\n")]
            hook.write_text("\n".join(lines))
    if text is not None:
        place.write_text(text)
        place.chmod(0o755)


def without_ours(repo: RepositoryBuilder) -> dict[str, str]:
    """PATH without any directory where git-strata-hook is."""
    places = repo.environ["PATH"].split(":")
    return {"PATH": ":".join(place for place in places if not Path(place, "git-strata-hook").exists())}


@pytest.mark.parametrize("path", ["README.md", "datasets.txt", "model/x", "src/datasets/x.py"])
def test_a_commit_of_something_else_starts_nothing(repo: RepositoryBuilder, path: str) -> None:
    program(repo, "#!/bin/sh\nexit 1\n")
    repo.commit("Something else", {path: "x"})


@pytest.mark.parametrize("path", ["datasets/x/v1/a", "runs/x", "strata.yaml", ".strata/trust/policy.yaml", "models"])
def test_a_commit_of_ours_asks(repo: RepositoryBuilder, path: str) -> None:
    program(repo, "#!/bin/sh\nexit 1\n")
    repo.write({path: "x"})
    repo.git("add", "--all")
    assert repo.try_git("commit", "-qm", "ours").code == 1


def test_the_first_commit_asks(builder: Builder) -> None:
    repo = builder().install_hooks()
    program(repo, "#!/bin/sh\nexit 1\n")
    repo.write({"README.md": "x"})
    repo.git("add", "--all")
    assert repo.try_git("commit", "-qm", "first").code == 1


def test_deleting_ours_asks(repo: RepositoryBuilder) -> None:
    program(repo, "#!/bin/sh\nexit 1\n")
    repo.git("rm", "-q", "strata.yaml")
    assert repo.try_git("commit", "-qm", "gone").code == 1


def test_a_missing_program_is_one_clear_sentence(repo: RepositoryBuilder) -> None:
    program(repo, None)
    repo.write(artifacts.dataset())
    repo.git("add", "--all")
    answer = repo.try_git("commit", "-qm", "iris", env=without_ours(repo))
    assert answer.code == 1
    assert answer.err.splitlines() == [
        "git-strata: git-strata-hook was not found, so artifacts cannot be judged.",
        "  pip install git-strata && git strata install     (or, knowingly: git commit --no-verify)",
    ]


def test_a_missing_program_holds_a_push_back(repo: RepositoryBuilder, builder: Builder) -> None:
    program(repo, None)
    repo.git("remote", "add", "origin", str(builder("server", bare=True).path))
    answer = repo.try_git("push", "-q", "origin", "main", env=without_ours(repo))
    assert answer.code != 0
    assert "the push cannot be judged" in answer.err
    assert repo.git("ls-remote", "origin") == ""


def test_a_moved_environment_falls_back_to_the_path(repo: RepositoryBuilder) -> None:
    program(repo, None)
    repo.write(artifacts.dataset("iris", seal=False))
    repo.commit("iris")
    assert "datasets/iris/v1/CHECKSUMS.txt" in repo.paths()


# --- the entry point


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main([]) == entry.main(["update"]) == 64
    assert "usage: git-strata-hook pre-commit" in capsys.readouterr().err


def test_outside_a_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert entry.main(["pre-commit"]) == 3
    assert entry.main(["post-commit"]) == 0, "after the fact nothing fails"
    assert "not in a git repository" in capsys.readouterr().err


def test_a_bug_of_ours_is_told_as_one(
    repo: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from strata_git.hooks import pre_commit

    def broken(*_: object) -> int:
        raise ZeroDivisionError("esc\x1b[2J")

    monkeypatch.chdir(repo.path)
    monkeypatch.setattr(pre_commit, "run", broken)
    assert entry.main(["pre-commit"]) == 70
    told = capsys.readouterr().err
    assert "a bug of git-strata: ZeroDivisionError" in told
    assert "\x1b" not in told


def test_an_interrupt_is_no_bug(repo: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    from strata_git.hooks import pre_commit

    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.chdir(repo.path)
    monkeypatch.setattr(pre_commit, "run", interrupted)
    assert entry.main(["pre-commit"]) == 130


def test_an_unmerged_index_is_a_sentence(repo: RepositoryBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.git("checkout", "-qb", "side")
    repo.commit("side", {"strata.yaml": "lfs: true\n"})
    repo.git("checkout", "-q", "main")
    repo.commit("main", {"strata.yaml": "lfs: false\n"})
    assert repo.try_git("merge", "side").code == 1
    monkeypatch.chdir(repo.path)
    assert entry.main(["pre-commit"]) == 3


# --- signing what is sealed


def test_signing_at_commit_survives_a_partial_commit(repo: RepositoryBuilder, keys: object) -> None:
    """`git commit PATH` throws the hook's index away; list and signature are put back together."""
    from tests.support.keys import Keys

    assert isinstance(keys, Keys)
    repo.write(artifacts.workspace(settings={"signing": {"on_commit": True, "key": keys.alice}}))
    repo.commit("Sign at commit")
    repo.write(artifacts.dataset("iris", seal=False))
    repo.git("add", "datasets")
    repo.git("commit", "-qm", "iris", "datasets/iris/v1")
    assert "datasets/iris/v1/SIGNATURE.asc" in repo.paths()
    assert repo.git("status", "--porcelain") == ""


def test_a_key_that_is_not_there_is_no_reason_to_refuse(repo: RepositoryBuilder) -> None:
    repo.write(artifacts.workspace(settings={"signing": {"on_commit": True, "key": "A" * 40}}))
    repo.commit("Sign at commit")
    repo.write(artifacts.dataset("iris", seal=False))
    repo.git("add", "datasets")
    answer = repo.try_git("commit", "-qm", "iris").expect(0)
    assert "not signed by this commit: There is no usable secret key" in answer.err


def test_what_a_hook_could_not_do_is_safe_for_a_terminal(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name with escape sequences comes back escaped, message and hint alike."""

    def refuse(*_: object, **__: object) -> None:
        raise StrataError("bad \x1b[31m\nname", hint="do \x1b]0;x\x07\nthen that")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("strata_git.repo.command.Repository.discover", refuse)
    assert entry.main(["pre-commit"]) == 3
    assert capsys.readouterr().err.splitlines() == [
        "git-strata (pre-commit): bad \\x1b[31m\\nname",
        "  do \\x1b]0;x\\x07",
        "  then that",
    ]
