"""What was released never changes: refused at commit, told by the doctor over any range with the commit that did it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from strata_git.doctor.judge import judge_staged, judge_worktree
from strata_git.doctor.verdict import Verdict
from strata_git.repo.command import Repository
from tests.flows.releasing import PLACE, TAMPERINGS, range_verdict, refused, released, told_in_range, unchecked
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder
from tests.support.keys import Keys


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    return released(builder)


def rules(repo: RepositoryBuilder, judge: Callable[[Repository], Verdict] = judge_worktree) -> set[str]:
    opened = repo.repository()
    try:
        return {finding.rule for finding in judge(opened).findings if finding.severity != "info"}
    finally:
        opened.close()


# --- a released version, tampered with


@pytest.mark.parametrize("way", TAMPERINGS)
def test_tampering_is_refused_and_told_afterwards(repo: RepositoryBuilder, way: str) -> None:
    tampering = TAMPERINGS[way]
    base = repo.head
    tampering.apply(repo)
    assert tampering.rule in rules(repo)  # before anything is staged
    repo.git("add", "--all")
    assert tampering.rule in rules(repo, judge_staged)
    refused(repo.try_git("commit", "-qm", "tamper"), tampering.rule, tampering.path)
    assert repo.head == base
    told_in_range(repo, base, tampering.rule, unchecked(repo))


def test_a_refused_commit_leaves_index_and_files_alone(repo: RepositoryBuilder) -> None:
    TAMPERINGS["one byte"].apply(repo)
    repo.write({"datasets/new/v1/half.csv": "x\n"})
    repo.git("add", "--all")
    before = (repo.git("ls-files", "-s"), repo.git("status", "--porcelain"))
    assert repo.try_git("commit", "-qm", "tamper").code == 1
    assert (repo.git("ls-files", "-s"), repo.git("status", "--porcelain")) == before
    assert not (repo.path / "datasets/new/v1/CHECKSUMS.txt").exists()


def test_changing_and_restoring_tells_the_change_only(repo: RepositoryBuilder) -> None:
    base = repo.head
    TAMPERINGS["one byte"].apply(repo)
    changed = unchecked(repo)
    repo.git("checkout", "-q", base, "--", PLACE)
    assert repo.try_git("commit", "-qm", "restore").code == 0, "undoing a change is legal"
    told_in_range(repo, base, "STR-I001", changed)


def test_restoring_what_an_earlier_push_broke_is_legal(repo: RepositoryBuilder) -> None:
    """Judged is what was released, not what stood there before."""
    first = repo.head
    TAMPERINGS["one byte"].apply(repo)
    broken = unchecked(repo)
    repo.git("checkout", "-q", first, "--", PLACE)
    unchecked(repo)
    assert range_verdict(repo, broken).exit_code() == 0


def test_an_evil_merge_is_told(repo: RepositoryBuilder) -> None:
    """Neither side touched the version; the merge itself did."""
    base = repo.head
    repo.git("checkout", "-qb", "side")
    repo.commit("aside", {"aside.txt": "x"})
    repo.git("checkout", "-q", "main")
    repo.commit("ahead", {"ahead.txt": "x"})
    repo.git("merge", "-q", "--no-commit", "side")
    TAMPERINGS["one byte"].apply(repo)
    repo.git("add", "--all")
    assert "STR-I001" in rules(repo, judge_staged)
    refused(repo.try_git("commit", "-qm", "merge"), "STR-I001", f"{PLACE}/train.csv")
    repo.git("commit", "-qnm", "merge")
    told_in_range(repo, base, "STR-I001", repo.head)


def test_a_merge_that_edits_what_the_other_side_released(repo: RepositoryBuilder) -> None:
    """HEAD never had the version, so only a look at the other parent tells."""
    base = repo.head
    repo.git("checkout", "-qb", "side")
    repo.dataset("tulips")
    repo.commit("tulips")
    repo.git("checkout", "-q", "main")
    repo.commit("ahead", {"ahead.txt": "x"})
    repo.git("merge", "-q", "--no-commit", "side")
    repo.write({"datasets/tulips/v1/train.csv": "other\n"})
    repo.git("add", "--all")
    assert "STR-I001" in rules(repo, judge_staged)
    refused(repo.try_git("commit", "-qm", "merge"), "STR-I001", "datasets/tulips/v1/train.csv")
    repo.git("commit", "-qnm", "merge")
    told_in_range(repo, base, "STR-I001", repo.head)


def test_two_branches_release_different_things_under_one_name(repo: RepositoryBuilder) -> None:
    base = repo.head
    other = artifacts.dataset("tulips", files={"train": {"train.csv": b"a,b\n1,2\n"}})
    repo.git("checkout", "-qb", "side")
    repo.commit("tulips, ours", other)
    side = repo.head
    repo.git("checkout", "-q", "main")
    repo.dataset("tulips")
    main = repo.commit("tulips, theirs")
    repo.git("merge", "-q", "--no-verify", "--no-edit", "-s", "ours", "side")
    guilty = {finding.commit for finding in range_verdict(repo, base).findings if finding.rule == "STR-I006"}
    assert guilty in ({side, repo.head}, {side}, {main}, {main, repo.head})


# --- whole versions


def test_removing_a_whole_version_passes_with_a_warning(repo: RepositoryBuilder) -> None:
    base = repo.head
    repo.git("rm", "-rq", PLACE)
    answer = repo.try_git("commit", "-qm", "retire")
    assert (answer.code, "STR-I005" in answer.err) == (0, True)
    assert range_verdict(repo, base).exit_code() == 1


def test_bringing_a_removed_version_back_is_legal(repo: RepositoryBuilder) -> None:
    base = repo.head
    repo.git("rm", "-rq", PLACE)
    gone = repo.commit("retire")
    repo.git("checkout", "-q", base, "--", PLACE)
    repo.commit("bring back")
    assert range_verdict(repo, gone).exit_code() == 0


@pytest.mark.parametrize("since", ["before the removal", "after it"])
def test_a_removed_name_never_stands_for_other_content(repo: RepositoryBuilder, since: str) -> None:
    before = repo.head
    repo.git("rm", "-rq", PLACE)
    removed = repo.commit("retire")
    repo.dataset("iris", files={"train": {"train.csv": b"a,b\n1,2\n"}})
    reused = unchecked(repo)
    told_in_range(repo, before if since == "before the removal" else removed, "STR-I006", reused)


def test_one_commit_introduces_one_version_of_a_model(repo: RepositoryBuilder) -> None:
    base = repo.head
    repo.write(iris := artifacts.dataset("iris"))
    cited = [artifacts.cite(iris, PLACE)]
    repo.run(inputs=cited)
    repo.model("forest", "v1", datasets=cited)
    repo.model("forest", "v2", datasets=cited)
    repo.model("other", "v1", datasets=cited)
    repo.git("add", "--all")
    said = refused(repo.try_git("commit", "-qm", "two"), "STR-I009", "models/forest/v2").err
    assert "models/other" not in said
    told_in_range(repo, base, "STR-I009", unchecked(repo))


# --- the only exception: nobody has seen it yet


@pytest.fixture
def fresh(builder: Builder) -> RepositoryBuilder:
    """HEAD introduces iris@v1."""
    repo = builder().workspace().install_hooks()
    repo.commit("Workspace")
    repo.dataset("iris")
    repo.commit("Release iris@v1")
    return repo


def amend(repo: RepositoryBuilder) -> None:
    better = artifacts.dataset("iris", metadata={"description": "Told better."}, seal=False)
    repo.write({f"{PLACE}/metadata.yaml": better[f"{PLACE}/metadata.yaml"]})
    repo.git("add", "--all")


def test_amending_what_nobody_has_seen(fresh: RepositoryBuilder) -> None:
    amend(fresh)
    answer = fresh.try_git("commit", "-q", "--amend", "--no-edit")
    assert (answer.code, "STR-I008" in answer.err) == (0, True), str(answer)
    assert range_verdict(fresh, "HEAD~1").exit_code() == 0
    assert rules(fresh) == set()


def test_a_new_commit_on_top_is_let_pass_once_and_told_by_the_range(fresh: RepositoryBuilder) -> None:
    """A hook cannot tell an amendment from a new commit; whoever judges the range can."""
    base = fresh.git("rev-parse", "HEAD~1")
    amend(fresh)
    assert fresh.try_git("commit", "-qm", "on top").code == 0
    told_in_range(fresh, base, "STR-I001", fresh.head)


def publish_to_a_remote(repo: RepositoryBuilder) -> None:
    repo.git("update-ref", "refs/remotes/origin/main", "HEAD")


def publish_by_an_event(repo: RepositoryBuilder) -> None:
    repo.git("tag", "-am", "registered", "iris@v1.0.0")


def publish_by_a_citing_run(repo: RepositoryBuilder) -> None:
    """The run is part of the same commit: what it read is not what would stand there."""
    repo.run(inputs=[artifacts.cite(artifacts.dataset("iris"), PLACE)])
    repo.git("add", "--all")
    repo.git("commit", "-qn", "--amend", "--no-edit")


@pytest.mark.parametrize("publish", [publish_to_a_remote, publish_by_an_event, publish_by_a_citing_run])
def test_amending_what_somebody_has_seen(fresh: RepositoryBuilder, publish: object) -> None:
    assert callable(publish)
    publish(fresh)
    amend(fresh)
    refused(fresh.try_git("commit", "-q", "--amend", "--no-edit"), "STR-I001", f"{PLACE}/metadata.yaml")


def test_an_older_release_is_not_amended(repo: RepositoryBuilder) -> None:
    """Nobody else has seen it, but it is not HEAD that introduced it."""
    TAMPERINGS["one byte"].apply(repo)
    repo.git("add", "--all")
    refused(repo.try_git("commit", "-q", "--amend", "--no-edit"), "STR-I001")


# --- signatures only grow


def signed(repo: RepositoryBuilder, keys: Keys, *people: str) -> bytes:
    data = keys.sign(repo.read(f"{PLACE}/CHECKSUMS.txt"), *people)
    repo.write({f"{PLACE}/SIGNATURE.asc": data})
    repo.git("add", "--all")
    return data


def test_signatures_may_come_and_be_added(repo: RepositoryBuilder, keys: Keys) -> None:
    base = repo.head
    first = signed(repo, keys, "alice")
    repo.git("commit", "-qm", "alice signs")
    repo.write({f"{PLACE}/SIGNATURE.asc": first + keys.sign(repo.read(f"{PLACE}/CHECKSUMS.txt"), "bob")})
    repo.commit("bob signs too")
    assert range_verdict(repo, base).exit_code() == 0
    assert rules(repo) == set()


@pytest.mark.parametrize("left", [None, "bob"])
def test_signatures_are_not_taken_back(repo: RepositoryBuilder, keys: Keys, left: str | None) -> None:
    signed(repo, keys, "alice")
    repo.git("commit", "-qm", "alice signs")
    base = repo.commit("Something else", {"notes.txt": "y\n"})
    if left:
        signed(repo, keys, left)
    else:
        repo.git("rm", "-q", f"{PLACE}/SIGNATURE.asc")
    refused(repo.try_git("commit", "-qm", "without alice"), "STR-I007", f"{PLACE}/SIGNATURE.asc")
    told_in_range(repo, base, "STR-I007", unchecked(repo))


def test_services_may_change(repo: RepositoryBuilder) -> None:
    base = repo.head
    repo.commit("model", artifacts.run() | artifacts.model(datasets=[]))
    repo.commit("service", artifacts.service())
    repo.commit("service changed", artifacts.service(description="Scores."))
    assert range_verdict(repo, base).exit_code() < 2


def test_the_command_says_the_same(repo: RepositoryBuilder) -> None:
    base = repo.head
    TAMPERINGS["one byte"].apply(repo)
    guilty = unchecked(repo)
    answer = repo.strata("doctor", "--range", f"{base}..HEAD").expect(2)
    assert guilty[:7] in answer.out
    assert f"git checkout {guilty[:12]}^ -- {PLACE}" in answer.out
