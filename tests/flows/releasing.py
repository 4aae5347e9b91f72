"""Releases and the ways in which people break them, shared by the flow tests of immutability and pushing."""

from __future__ import annotations

from dataclasses import dataclass

from strata_git.doctor.judge import judge_range
from strata_git.doctor.verdict import Verdict
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.process import Completed

PLACE = "datasets/iris/v1"


@dataclass(frozen=True, slots=True)
class Tampering:
    """One way to break a release: what is done to the working tree, the rule that tells, and the file it names."""

    rule: str
    path: str = f"{PLACE}/train.csv"
    data: bytes | None = None
    mode: int | None = None
    link: str | None = None
    delete: bool = False

    def apply(self, repo: RepositoryBuilder) -> None:
        if self.delete or self.link is not None:
            repo.delete(self.path)
        if self.link is not None:
            repo.symlink({self.path: self.link})
        if self.data is not None:
            repo.write({self.path: self.data})
        if self.mode is not None:
            repo.chmod({self.path: self.mode})


TAMPERINGS = {
    "one byte": Tampering("STR-I001", data=artifacts.TRAIN.replace(b"1.4", b"1.5")),
    "one file less": Tampering("STR-I002", delete=True),
    "one file more": Tampering("STR-I003", f"{PLACE}/more.csv", data=b"x\n"),
    "executable": Tampering("STR-I004", mode=0o755),
    "link in a file's place": Tampering("STR-I004", link="test.csv"),
    "described otherwise": Tampering(
        "STR-I001",
        f"{PLACE}/metadata.yaml",
        data=artifacts.dataset(metadata={"licence": "CC0-1.0"})[f"{PLACE}/metadata.yaml"],
    ),
}


def released(builder: Builder) -> RepositoryBuilder:
    """iris@v1 is released two commits ago; the hooks are installed."""
    repo = builder().workspace()
    repo.dataset("iris")
    repo.install_hooks()
    repo.commit("Release iris@v1")
    repo.commit("Something else", {"notes.txt": "x\n"})
    return repo


def unchecked(repo: RepositoryBuilder, message: str = "Unchecked") -> str:
    """Stage everything and commit it past the hooks."""
    return repo.commit(message, None, "--no-verify")


def refused(answer: Completed, rule: str, path: str = "") -> Completed:
    """The answer, which says no, names the rule, the file and a way out, and is no traceback."""
    said = answer.out + answer.err
    assert answer.code != 0, str(answer)
    assert rule in said, str(answer)
    assert path in said, str(answer)
    assert "fix:" in said, str(answer)
    return answer.clean()


def told_in_range(repo: RepositoryBuilder, base: str, rule: str, *commits: str) -> None:
    """The doctor on BASE..HEAD ends in 2 and tells `rule` of exactly these commits."""
    verdict = range_verdict(repo, base)
    assert verdict.exit_code() == 2
    assert {finding.commit for finding in verdict.findings if finding.rule == rule} == set(commits), verdict.findings


def range_verdict(repo: RepositoryBuilder, base: str) -> Verdict:
    """What `doctor --range BASE..HEAD` says, without the cost of a process."""
    opened = repo.repository()
    try:
        return judge_range(opened, base, "HEAD")
    finally:
        opened.close()
