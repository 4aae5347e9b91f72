"""One verdict by every door: working tree, staged tree, commit, range; and what a door cannot see it says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from strata_git.doctor.judge import judge_commit, judge_range, judge_staged, judge_worktree
from strata_git.doctor.verdict import Verdict
from strata_git.errors import StrataError
from strata_git.repo.command import Repository
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder
from tests.support.fixtures import Builder

PLACE = "datasets/iris/v1"


@pytest.fixture
def repo(builder: Builder) -> RepositoryBuilder:
    """A workspace with a dataset, the run that read it and its model, all in order and committed."""
    made = builder().workspace()
    made.story()
    made.commit("Story")
    return made


@pytest.fixture
def opened(repo: RepositoryBuilder) -> Iterator[Repository]:
    ours = repo.repository()
    yield ours
    ours.close()


def rules(verdict: Verdict) -> list[tuple[str, str]]:
    return [(finding.rule, finding.path) for finding in verdict.findings if finding.severity != "info"]


# --- one verdict


def test_all_is_well_by_every_door(repo: RepositoryBuilder, opened: Repository) -> None:
    verdicts = [judge_worktree(opened), judge_staged(opened), judge_commit(opened, "HEAD")]
    assert [v.exit_code(strict=True) for v in verdicts] == [0, 0, 0]
    assert [v.artifacts for v in verdicts] == [3, 3, 3]
    assert verdicts[0].findings == verdicts[1].findings == verdicts[2].findings


def test_working_tree_and_commit_agree_on_what_is_wrong(builder: Builder) -> None:
    """The same broken files, on disk and then committed, are told alike."""
    repo = builder().workspace()
    repo.write(artifacts.dataset("iris", replace={"train.csv": b"x\n", "new.csv": b"y\n"}))
    repo.write(artifacts.run(metadata={"status": "marvellous"}) | {"datasets/stray": b"", "models/X/v1/a": b""})
    repo.write({"strata.yaml": b"lfs: perhaps\n"})
    before = judge_worktree(repo.repository())
    repo.git("add", "--all")
    staged = judge_staged(repo.repository())
    repo.commit("Broken")
    after, committed = judge_worktree(repo.repository()), judge_commit(repo.repository(), "HEAD")
    assert before.exit_code() == 2
    assert len(rules(before)) >= 6
    assert rules(before) == rules(staged) == rules(after) == rules(committed)


def test_findings_carry_place_fix_and_anchor(repo: RepositoryBuilder, opened: Repository) -> None:
    repo.write({f"{PLACE}/train.csv": b"tampered\n"})
    findings = judge_worktree(opened).errors
    assert {f.rule for f in findings} >= {"STR-C005", "STR-I001"}
    for finding in findings:
        assert finding.path.startswith(PLACE)
        assert finding.fix
        assert finding.anchor.startswith("tfc/00")
    assert f"`git checkout {repo.head[:12]} -- {PLACE}`" in " ".join(f.fix for f in findings)


def test_paths_narrow_the_verdict_down(repo: RepositoryBuilder, opened: Repository) -> None:
    repo.write({f"{PLACE}/train.csv": b"tampered\n", "datasets/stray": b""})
    assert judge_worktree(opened, ["models"]).errors == ()
    assert judge_worktree(opened, ["models"]).artifacts == 1
    assert {f.path for f in judge_worktree(opened, [f"{PLACE}/train.csv"]).errors} >= {f"{PLACE}/train.csv"}
    assert rules(judge_worktree(opened, ["datasets/stray"])) == [("STR-L010", "datasets/stray")]
    assert rules(judge_commit(opened, "HEAD", ["datasets"])) == []


def test_an_old_revision_is_judged_without_a_checkout(repo: RepositoryBuilder, opened: Repository) -> None:
    good = repo.head
    repo.write({f"{PLACE}/train.csv": b"tampered\n"})
    bad = repo.commit("Tampered")
    repo.git("checkout", "-q", good)
    assert judge_commit(opened, good).exit_code() == 0
    assert ("STR-C005", f"{PLACE}/train.csv") in rules(judge_commit(opened, bad))
    assert repo.git("status", "--porcelain") == ""


def test_what_comes_later_is_not_there_yet(builder: Builder) -> None:
    """A model cites a run that a later commit adds: at the earlier commit it is missing, not removed."""
    repo = builder().workspace()
    repo.story()
    repo.write(dict.fromkeys(artifacts.run()))
    early = repo.commit("Model without its run")
    repo.write(artifacts.run(inputs=[artifacts.cite(artifacts.dataset("iris"), PLACE)]))
    late = repo.commit("And the run")
    ours = repo.repository()
    assert ("STR-X001", "models/forest/v1/metadata.yaml") in rules(judge_commit(ours, early))
    assert rules(judge_commit(ours, late)) == []


def test_a_range_names_the_commit(repo: RepositoryBuilder, opened: Repository) -> None:
    base = repo.head
    repo.write(artifacts.dataset("tulips", replace={"train.csv": b"x\n"}))
    bad = repo.commit("Broken")
    repo.git("rm", "-rq", "datasets/tulips")
    repo.commit("Gone")
    verdict = judge_range(opened, base, "HEAD")
    assert verdict.exit_code() == 2
    assert {f.commit for f in verdict.errors} == {bad}
    assert judge_range(opened, "HEAD", "HEAD").findings == ()


def test_a_range_tells_of_settings_beside_an_artifact(repo: RepositoryBuilder, opened: Repository) -> None:
    base = repo.head
    repo.dataset("tulips")
    bad = repo.commit("Two things", {"strata.yaml": b"lfs: perhaps\n"})
    told = [(f.rule, f.commit) for f in judge_range(opened, base, "HEAD").errors]
    assert ("STR-L016", bad) in told


@pytest.mark.parametrize(("revision", "told"), [("nonsense", "names no commit"), ("HEAD", "no commit yet")])
def test_revisions_that_are_none(builder: Builder, revision: str, told: str) -> None:
    with pytest.raises(StrataError, match=told):
        judge_commit(builder().repository(), revision)


def test_a_repository_without_a_commit(builder: Builder) -> None:
    repo = builder().workspace()
    repo.dataset("iris", replace={"train.csv": b"x\n"})
    assert ("STR-C005", f"{PLACE}/train.csv") in rules(judge_worktree(repo.repository()))
    repo.git("add", "--all")
    assert ("STR-C005", f"{PLACE}/train.csv") in rules(judge_staged(repo.repository()))


def test_an_unreadable_place_is_told_not_thrown(repo: RepositoryBuilder, opened: Repository) -> None:
    (repo.path / PLACE / "train.csv").unlink()
    os.mkfifo(repo.path / PLACE / "train.csv")
    assert ("STR-C003", f"{PLACE}/train.csv") in rules(judge_worktree(opened))


# --- remembered by tree id


def test_what_was_judged_once_is_not_judged_again(repo: RepositoryBuilder) -> None:
    assert judge_worktree(repo.repository()).fresh == 3
    assert judge_worktree(repo.repository()).fresh == 0
    assert judge_commit(repo.repository(), "HEAD").fresh == 0
    assert judge_staged(repo.repository()).fresh == 0
    repo.dataset("tulips")
    assert judge_worktree(repo.repository()).fresh == 1
    repo.commit("tulips")
    assert judge_commit(repo.repository(), "HEAD").fresh == 0


def test_remembered_verdicts_are_the_same_verdicts(builder: Builder) -> None:
    repo = builder().workspace()
    repo.write(artifacts.dataset("iris", replace={"train.csv": b"x\n"}) | {"datasets/stray": b""})
    first, second = judge_worktree(repo.repository()), judge_worktree(repo.repository())
    assert (first.fresh, second.fresh) == (1, 0)
    assert first.findings == second.findings


def spoil_with_garbage(cache: Path) -> None:
    cache.write_bytes(b"garbage" * 1000)


def spoil_by_cutting(cache: Path) -> None:
    cache.write_bytes(cache.read_bytes()[:5000])


def spoil_the_log(cache: Path) -> None:
    cache.with_name(cache.name + "-wal").write_bytes(b"\x37\x7f\x06\x82" + b"x" * 5000)


def spoil_with_a_directory(cache: Path) -> None:
    cache.unlink()
    cache.mkdir()


def spoil_a_letter(cache: Path) -> None:
    """One bit of one severity: still SQLite, still JSON."""
    data = cache.read_bytes()
    assert b'"error"' in data
    cache.write_bytes(data.replace(b'"error"', b'"errnr"'))


@pytest.mark.parametrize(
    "spoil", [spoil_with_garbage, spoil_by_cutting, spoil_the_log, spoil_with_a_directory, spoil_a_letter]
)
def test_a_damaged_cache_costs_time_only(builder: Builder, spoil: object) -> None:
    assert callable(spoil)
    repo = builder().workspace()
    repo.write(artifacts.dataset("iris", replace={"train.csv": b"x\n"}))
    truth = judge_worktree(repo.repository()).findings
    cache = repo.path / ".git/strata/cache/verdicts.sqlite"
    spoil(cache)
    assert judge_worktree(repo.repository()).findings == truth
    assert judge_worktree(repo.repository()).findings == truth


def test_nowhere_to_remember(repo: RepositoryBuilder) -> None:
    (repo.path / ".git/strata").write_text("a file where the directory would be")
    assert judge_worktree(repo.repository()).exit_code() == 0


# --- what cannot be seen


def test_a_shallow_range_says_so(repo: RepositoryBuilder) -> None:
    repo.commit("More", {"a": "1"})
    repo.dataset("tulips")
    repo.commit("Tulips")
    shallow = repo.clone("shallow", "--depth=2")
    verdict = judge_range(shallow.repository(), "HEAD~1", "HEAD")
    assert verdict.findings == ()
    assert "shallow" in verdict.unjudged[0]
    assert (verdict.exit_code(), verdict.exit_code(strict=True)) == (0, 2)


@pytest.fixture
def partial(repo: RepositoryBuilder) -> RepositoryBuilder:
    """A clone without file contents whose origin is gone: what would be fetched cannot be."""
    repo.git("config", "uploadpack.allowFilter", "true")
    clone = repo.clone("partial", "--filter=blob:none", "--no-checkout")
    repo.path.rename(repo.path.with_name("moved"))
    return clone


def test_absent_objects_are_never_fetched_and_never_called_fine(partial: RepositoryBuilder) -> None:
    before = sorted(path.name for path in (partial.path / ".git/objects").rglob("*"))
    verdict = judge_commit(partial.repository(), "HEAD")
    assert verdict.artifacts == 3
    assert verdict.unjudged
    assert verdict.exit_code(strict=True) == 2
    assert {f.path for f in verdict.findings if "object absent" in f.message} >= {PLACE, "models/forest/v1"}
    assert sorted(path.name for path in (partial.path / ".git/objects").rglob("*")) == before


def test_a_range_over_absent_objects_is_not_fine_either(partial: RepositoryBuilder) -> None:
    root = partial.git("commit-tree", partial.repository().empty_tree, "-m", "root")
    verdict = judge_range(partial.repository(), root, "HEAD")
    assert verdict.unjudged
    assert verdict.exit_code(strict=True) == 2


def test_what_was_not_judged_is_not_remembered(partial: RepositoryBuilder) -> None:
    assert judge_commit(partial.repository(), "HEAD").fresh == 3
    assert judge_commit(partial.repository(), "HEAD").fresh == 3


def test_the_command_does_not_say_that_nothing_is_wrong(partial: RepositoryBuilder) -> None:
    answer = partial.strata("doctor", "--at", "HEAD").expect(0, 1)
    assert "not judged" in answer.out + answer.err
    assert "nothing is wrong." not in answer.err
    partial.strata("doctor", "--at", "HEAD", "--strict").expect(2)


@pytest.mark.parametrize("smudged", [True, False])
def test_lfs_files_and_their_pointers_are_one(lfs: RepositoryBuilder, smudged: bool) -> None:
    lfs.dataset("iris")
    lfs.commit("iris")
    if not smudged:
        lfs.write({f"{PLACE}/train.csv": lfs.git("cat-file", "blob", f"HEAD:{PLACE}/train.csv") + "\n"})
    ours = lfs.repository()
    assert judge_worktree(ours).errors == judge_commit(ours, "HEAD").errors == ()


def test_raw_payload_where_lfs_is_asked_for(builder: Builder) -> None:
    repo = builder().workspace(lfs=True)
    repo.write({".gitattributes": "datasets/** -text\n"})
    repo.dataset("iris")
    repo.commit("raw")
    assert ("STR-F001", f"{PLACE}/train.csv") in rules(judge_commit(repo.repository(), "HEAD"))
