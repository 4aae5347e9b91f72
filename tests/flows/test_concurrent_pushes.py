"""Eight clones push in the same moment: what git says was taken in is there, what was not was told, nothing is lost."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.flows.kinds import Place
from tests.flows.releasing import unchecked
from tests.flows.server import EVERYTHING, Server
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder

pytestmark = pytest.mark.heavy

CLONES = 8


@pytest.fixture
def clones(place: Place) -> list[RepositoryBuilder]:
    """Each has a commit of its own with a version that no other has."""
    first, made = place.cloned("clone").repo, []
    for number in range(CLONES):
        path = first.path.with_name(f"clone-{number}")
        shutil.copytree(first.path, path, symlinks=True)
        repo = RepositoryBuilder(path, first.environ, first.clock)
        repo.write(artifacts.dataset(f"set-{number}"))
        unchecked(repo, f"Add set-{number}@v1")
        made.append(repo)
    return made


def pushed(commands: list[tuple[RepositoryBuilder, tuple[str, ...]]]) -> list[tuple[int, str]]:
    """Exit code and report of `git push --porcelain` with each's words, all started before any is waited for."""
    running = [
        subprocess.Popen(
            ["git", "push", "--porcelain", *words], cwd=repo.path, env=repo.environ, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )
        for repo, words in commands
    ]  # fmt: skip
    told = [process.communicate(timeout=110)[0] for process in running]
    assert "Traceback" not in "".join(told)
    return [(process.returncode, said) for process, said in zip(running, told, strict=True)]


def accepted(report: str) -> set[str]:
    """The references that git reports as taken in."""
    rows = [line.split("\t") for line in report.splitlines() if line.count("\t") == 2]
    return {names.partition(":")[2] for flag, names, _ in rows if flag in ("*", " ", "+", "=", "-")}


def whole(server: RepositoryBuilder) -> None:
    """No object is missing, no quarantine is left, no lock."""
    server.git("fsck", "--connectivity-only", "--no-dangling")
    left = [path for path in server.path.rglob("*") if "incoming" in path.name or path.suffix == ".lock"]
    assert left == []


def test_different_branches(place: Place, clones: list[RepositoryBuilder]) -> None:
    answers = pushed([(repo, ("origin", f"HEAD:refs/heads/b{n}")) for n, repo in enumerate(clones)])
    assert [code for code, _ in answers] == [0] * CLONES, answers
    for number, repo in enumerate(clones):
        assert place.server.git("rev-parse", f"b{number}") == repo.head
    whole(place.server)


WAYS = [pytest.param((), id="each for itself"), pytest.param(("--atomic",), id="atomic")]


@pytest.mark.parametrize("atomic", WAYS)
def test_one_branch_and_one_of_ones_own(place: Place, clones: list[RepositoryBuilder], atomic: tuple[str, ...]) -> None:
    """One gets main. An atomic push of any other leaves nothing; otherwise their own branch is there."""
    commands = [(repo, (*atomic, "origin", "HEAD:main", f"HEAD:refs/heads/b{n}")) for n, repo in enumerate(clones)]
    answers = pushed(commands)
    assert sorted(code for code, _ in answers) == [0] + [1] * (CLONES - 1), answers
    there = dict(reversed(line.split()) for line in place.server.git("show-ref", "--heads").splitlines())
    for number, (repo, (code, said)) in enumerate(zip(clones, answers, strict=True)):
        own, got = f"refs/heads/b{number}", accepted(said)
        assert ("refs/heads/main" in got) == (code == 0)
        assert {name for name in ("refs/heads/main", own) if there.get(name) == repo.head} == got, said
        assert (own in got) == (code == 0 or not atomic)
        if code != 0:
            assert "rejected" in said
    whole(place.server)


def test_everybody_gets_in_by_trying_again(place: Place, clones: list[RepositoryBuilder]) -> None:
    """Fetch, rebase, push until it is through: at the end everything is in one history."""
    waiting = list(clones)
    for _ in range(CLONES):
        answers = pushed([(repo, ("origin", "HEAD:main")) for repo in waiting])
        waiting = [repo for repo, (code, _) in zip(waiting, answers, strict=True) if code != 0]
        if not waiting:
            break
        for repo in waiting:
            repo.git("fetch", "-q")
            repo.git("rebase", "-q", "origin/main")
    assert waiting == []
    names = place.server.git("ls-tree", "-r", "--name-only", "main").splitlines()
    assert {f"datasets/set-{n}/v1/CHECKSUMS.txt" for n in range(CLONES)} <= set(names)
    whole(place.server)


def test_one_name_for_eight_contents(place: Place, clones: list[RepositoryBuilder]) -> None:
    """On branches of their own, so that git sees no conflict: one gets in, all others are told that it did."""
    for number, repo in enumerate(clones):
        rows = f"a,b\n{number},{number}\n".encode()
        repo.write(artifacts.dataset("tulips", files={"train": {"train.csv": rows}}))
        unchecked(repo, "Add tulips@v1")
    answers = pushed([(repo, ("origin", f"HEAD:refs/heads/b{n}")) for n, repo in enumerate(clones)])
    assert sorted(code for code, _ in answers) == [0] + [1] * (CLONES - 1), answers
    assert all("STR-I006" in said for code, said in answers if code != 0)
    branches = place.server.git("for-each-ref", "--format=%(refname:short)", "refs/heads/b*").split()
    (winner,) = [n for n, (code, _) in enumerate(answers) if code == 0]
    assert branches == [f"b{winner}"]
    whole(place.server)


def test_two_lines_of_events(server: Server) -> None:
    """Tags of two pushes follow the same event, and none of one has a name of the other's: git sees no conflict."""
    other = server.clone("other")
    server.lab.promote("v1", now=None)
    other.promote("v2", "staging", now=None)
    known = set(server.bare.git("for-each-ref", "--format=%(refname)", "refs/tags").split())
    commands = []
    for lab in (server.lab, other):
        tags = set(lab.repo.git("for-each-ref", "--format=%(refname)", "refs/tags").split()) - known
        commands.append((lab.repo, ("--no-verify", "server", *sorted(tags))))
    assert set(commands[0][1][2:]).isdisjoint(commands[1][1][2:])
    answers = pushed(commands)
    assert sorted(code for code, _ in answers) == [0, 1], answers
    assert any("STR-P007" in said or "STR-P008" in said for code, said in answers if code != 0), answers
    third = server.clone("third")
    assert not [rule for rule, _ in third.told(now=None) if rule == "STR-P007"]


def test_a_writer_in_the_bare_repository_itself(server: Server) -> None:
    """Somebody with a shell moves a branch while a push is judged: git tells, and nothing is overwritten."""
    server.repo.commit("ahead", {"ahead.txt": "x"})
    aside = server.bare.git("commit-tree", "-p", "main", "-m", "By hand", "main^{tree}")
    hook = server.bare.path / "hooks/pre-receive"
    inner = hook.with_name("judges")
    hook.rename(inner)
    hook.write_text(
        f"#!/bin/sh\nhooks/judges || exit 1\nenv -u GIT_QUARANTINE_PATH git update-ref refs/heads/main {aside}\n"
    )
    hook.chmod(0o755)
    answer = server.push(*EVERYTHING[:1])
    assert answer.code != 0
    assert server.bare.git("rev-parse", "main") == aside
