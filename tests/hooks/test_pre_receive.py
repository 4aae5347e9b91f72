"""The receiving hook itself: what git hands over, what it does where something is missing or broken."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from strata_git.errors import StrataError
from strata_git.hooks import entry
from strata_git.hooks.install import install, uninstall
from strata_git.hooks.noted import LIMIT, judge_lines, new_lines
from strata_git.hooks.pre_receive import judge_received, parse_received
from strata_git.hooks.pushed import Push
from strata_git.hooks.told import tell
from strata_git.repo.command import Repository
from strata_git.repo.history import list_received
from tests.flows.server import guarded
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import ROOT, Builder
from tests.support.process import Completed

A, B, ZERO = "a" * 40, "b" * 40, "0" * 40


@pytest.fixture
def bare(builder: Builder) -> RepositoryBuilder:
    return guarded(builder("server", bare=True))


@pytest.fixture
def repo(builder: Builder, bare: RepositoryBuilder) -> RepositoryBuilder:
    """A workspace that is on the server already."""
    made = builder().workspace()
    made.commit("Workspace")
    made.git("remote", "add", "server", bare.path.as_uri())
    made.git("push", "-q", "server", "main")
    return made


def push(repo: RepositoryBuilder, *words: str, **environ: str) -> Completed:
    return repo.try_git("push", "-q", "server", *words, env=environ).clean()


# --- the lines


def test_lines_are_read_as_git_writes_them() -> None:
    first, second = parse_received(f"{A} {B} refs/heads/x\n{B} {ZERO} refs/tags/odd\u2028name\n".encode())
    assert first == Push("refs/heads/x", B, "refs/heads/x", A)
    assert (second.deletes, second.creates, second.remote_ref) == (True, False, "refs/tags/odd\u2028name")
    assert parse_received(b"") == []


@pytest.mark.parametrize("line", ["half a line", f"{A} refs/heads/x", f"{A} {B} x"])
def test_other_lines_are_refused(line: str) -> None:
    with pytest.raises(StrataError, match="cannot read"):
        parse_received(line.encode() + b"\n")


def test_a_line_git_would_not_write_ends_without_a_traceback(repo: RepositoryBuilder, bare: RepositoryBuilder) -> None:
    hook = bare.path / "hooks/pre-receive"
    hook.write_text(f"#!/bin/sh\necho '\x1b[31m nonsense' | '{ROOT}/hooks/pre-receive'\n")
    answer = push(repo, "main:other")
    assert answer.code != 0
    assert "cannot read" in answer.err
    assert "\x1b[31m" not in answer.err


# --- what is missing


def test_no_program_no_push(repo: RepositoryBuilder, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("git", "sh", "git-receive-pack", "git-upload-pack"):
        found = shutil.which(name, path=repo.environ["PATH"])
        if found:
            (programs / name).symlink_to(found)
    answer = push(repo, "main:other", PATH=str(programs))
    assert answer.code != 0
    assert "git-strata-hook was not found on the server" in answer.err
    assert len([line for line in answer.err.splitlines() if line.startswith("remote: git-strata")]) == 1


def test_a_bug_of_ours_refuses(monkeypatch: pytest.MonkeyPatch, bare: RepositoryBuilder, capsys: object) -> None:
    """Whatever goes wrong, the push does not pass unjudged."""

    def broken(*_: object) -> int:
        raise RuntimeError("oh")

    monkeypatch.setattr("strata_git.hooks.pre_receive.run", broken)
    monkeypatch.chdir(bare.path)
    assert entry.main(["pre-receive"]) == 70
    err = capsys.readouterr().err  # type: ignore[attr-defined]
    assert "a bug of git-strata" in err
    assert "Traceback" not in err


def test_no_home_and_a_repository_nobody_may_write_into(repo: RepositoryBuilder, bare: RepositoryBuilder) -> None:
    """Nothing is remembered, and nothing else is different."""
    (bare.path / "strata").rename(bare.path / "elsewhere")
    (bare.path / "strata").write_text("in the way")
    hook = bare.path / "hooks/pre-receive"
    hook.write_text(hook.read_text().replace("\n", "\nunset HOME GNUPGHOME\n", 1))
    repo.commit("tulips", artifacts.dataset("tulips"))
    assert push(repo, "main").code == 0


# --- what is broken on the server already


def test_settings_that_cannot_be_read_can_be_mended(repo: RepositoryBuilder, bare: RepositoryBuilder) -> None:
    repo.commit("Break", {"strata.yaml": "lfs: perhaps\n"})
    (bare.path / "hooks/pre-receive").rename(bare.path / "hooks/aside")
    assert push(repo, "main").code == 0
    (bare.path / "hooks/aside").rename(bare.path / "hooks/pre-receive")
    repo.git("tag", "-am", "x", "forest@v1.0.0")
    answer = push(repo, "forest@v1.0.0")
    assert answer.code != 0
    assert "strata.yaml:1: 'lfs' must be true or false" in answer.err
    repo.workspace()
    repo.commit("Mend")
    assert push(repo, "main").code == 0


def test_tags_of_anything(repo: RepositoryBuilder) -> None:
    """Trees and blobs under plain names hold nothing that is released; under an event's name they are refused."""
    for what in ("main^{tree}", "main:strata.yaml"):
        repo.git("tag", "-f", "thing", what)
        assert push(repo, "--force", "thing").code == 0
        assert push(repo, "thing:refs/tags/forest@v1.0.0").code != 0
    assert push(repo, ":refs/tags/thing").code == 0


# --- notes


def notes(repo: RepositoryBuilder, files: dict[str, bytes]) -> str:
    """A notes commit that holds just these files."""
    repo.git("checkout", "-q", "--orphan", f"notes{len(repo.git('branch', '--list'))}")
    repo.git("rm", "-rqf", "--ignore-unmatch", ".")
    head = repo.commit("notes", dict(files), "--no-verify")
    repo.git("checkout", "-q", "main")
    return head


@pytest.fixture
def opened(repo: RepositoryBuilder) -> Repository:
    return repo.repository()


def test_lines_are_counted_by_commit(repo: RepositoryBuilder, opened: Repository) -> None:
    old = notes(repo, {A: b"one\ntwo\n", B: b"three\n"})
    new = notes(repo, {f"{A[:2]}/{A[2:]}": b"two\none\nfour\n", B: b"three\n"})  # git regroups notes as they grow
    added, findings = new_lines(opened, new, old)
    assert findings == []
    assert added == {A: {b"four"}}
    _, findings = new_lines(opened, old, new)
    assert [(finding.rule, finding.message) for finding in findings] == [
        ("STR-P017", f"would lose 1 line(s) on {A[:12]}")
    ]


def test_what_is_no_note(repo: RepositoryBuilder, opened: Repository) -> None:
    new = notes(repo, {"README.md": b"x", "a" * 39: b"x", B: b"x" * (LIMIT + 1)})
    added, findings = new_lines(opened, new, None)
    assert added == {}
    assert [finding.rule for finding in findings] == ["STR-P018"] * 3
    assert {finding.severity for finding in findings} == {"error"}


def test_a_line_of_no_event_is_told(repo: RepositoryBuilder) -> None:
    assert [finding.rule for finding in judge_lines({A: frozenset({b"{}"})}, [])] == ["STR-P018"]
    assert judge_lines({A: frozenset()}, []) == []


# --- the rest


def test_only_what_is_new_is_judged(repo: RepositoryBuilder, bare: RepositoryBuilder) -> None:
    second = repo.commit("Second", {"a": "x"})
    repo.git("tag", "-am", "x", "plain")
    bare.git("fetch", "-q", "--no-tags", repo.path.as_uri(), "main:refs/pull/1/head", "plain:refs/pull/2/head")
    server = bare.repository()
    tag = repo.git("rev-parse", "plain")
    assert list_received(server, [second, tag]) == [second]
    bare.git("update-ref", "refs/heads/main", second)
    assert list_received(server, [second, tag]) == []
    assert judge_received(server, []) == ()


def test_a_long_list_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    from strata_git.checks.finding import found

    findings = [found("STR-I001", f"datasets/x/v1/{n:02}", "differs") for n in range(25)]
    assert tell(findings, "push", "Nothing happened.") == 1
    err = capsys.readouterr().err
    assert "... and 5 more" in err
    assert err.endswith("git-strata refuses this push: 25 error(s). Nothing happened.\n")
    assert tell([found("STR-I005", "datasets/x/v1", "is removed")], "push", "Nothing happened.") == 0
    assert "refuses" not in capsys.readouterr().err


def test_a_bare_repository_gets_the_receiving_hook(builder: Builder) -> None:
    bare = builder("server", bare=True)
    place = bare.path / "hooks/pre-receive"
    assert [str(one) for one in install(bare.repository())] == ["pre-receive: installed"]
    assert os.access(place, os.X_OK)
    assert [str(one) for one in install(bare.repository())] == ["pre-receive: already installed"]
    uninstall(bare.repository())
    assert not place.exists()


def test_both_hooks_of_a_bare_repository_are_told_of_the_push(builder: Builder) -> None:
    """Somebody else's comes first; each reads the same lines, and either can refuse."""
    bare, repo = builder("server", bare=True), builder()
    place = bare.path / "hooks/pre-receive"
    place.write_text("#!/bin/sh\ncat >seen\n[ ! -e closed ]\n")
    place.chmod(0o755)
    before = place.read_bytes()
    install(bare.repository())
    repo.commit("One", {"datasets/iris/v1/metadata.yaml": "kind: nonsense\n"})
    answer = repo.try_git("push", "-q", bare.path.as_uri(), "main", "HEAD:refs/heads/other")
    assert answer.code != 0
    assert "git-strata refuses this push" in answer.err
    assert len((bare.path / "seen").read_text().splitlines()) == 2
    repo.git("commit", "-q", "--amend", "--allow-empty", "-m", "None", env={"GIT_INDEX_FILE": str(repo.path / "new")})
    (bare.path / "closed").touch()
    assert repo.try_git("push", "-q", bare.path.as_uri(), "main").code != 0
    (bare.path / "closed").unlink()
    repo.git("push", "-q", bare.path.as_uri(), "main")
    uninstall(bare.repository())
    assert place.read_bytes() == before
