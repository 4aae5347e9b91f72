"""`git merge` with our driver in force: documents by key, conflicts as usual, released versions never."""

from __future__ import annotations

from pathlib import Path

import pytest

from strata_git.authoring.init import init
from strata_git.load import load_json, load_yaml
from tests.support import artifacts
from tests.support.builder import RepositoryBuilder

EXPERIMENT = "experiments/forest.yaml"
BASE = "experiment: forest\nplugin: sklearn\nseed: 7\nparams:\n  depth: 8\n  trees: 100\n"


@pytest.fixture
def repo(hermetic: dict[str, str], tmp_path: Path) -> RepositoryBuilder:
    """A workspace as `git strata init` makes it, without hooks, with one experiment."""
    init(tmp_path / "a b" / "w", hermetic, lfs=False)
    made = RepositoryBuilder(tmp_path / "a b" / "w", hermetic)
    made.commit("Begin", {EXPERIMENT: BASE})
    return made


def branches(repo: RepositoryBuilder, ours: dict[str, str | bytes], theirs: dict[str, str | bytes]) -> None:
    repo.git("switch", "--quiet", "--create", "other")
    repo.commit("Theirs", theirs)
    repo.git("switch", "--quiet", "main")
    repo.commit("Ours", ours)


def test_two_parameters_on_neighbouring_lines(repo: RepositoryBuilder) -> None:
    ours, theirs = BASE.replace("depth: 8", "depth: 9"), BASE.replace("trees: 100", "trees: 300\n  leaf: 2")
    branches(repo, {EXPERIMENT: ours}, {EXPERIMENT: theirs})
    repo.git("merge", "--quiet", "--no-edit", "other")
    assert repo.read(EXPERIMENT).decode() == ours.replace("trees: 100", "trees: 300\n  leaf: 2")


def test_settings_keep_the_line_for_editors(repo: RepositoryBuilder) -> None:
    text = repo.read("strata.yaml").decode()
    branches(repo, {"strata.yaml": text + "signing:\n  required: true\n"}, {"strata.yaml": text + "runs:\n  keep: 3\n"})
    repo.git("merge", "--quiet", "--no-edit", "other")
    merged = repo.read("strata.yaml")
    assert merged.decode().startswith("# yaml-language-server: ")
    value = load_yaml(merged).value
    assert isinstance(value, dict)
    assert (value["signing"], value["runs"]) == ({"required": True}, {"keep": 3})


def test_a_true_conflict_looks_as_ever(repo: RepositoryBuilder) -> None:
    branches(repo, {EXPERIMENT: BASE.replace("seed: 7", "seed: 8")}, {EXPERIMENT: BASE.replace("seed: 7", "seed: 9")})
    done = repo.try_git("merge", "--no-edit", "other").clean()
    assert done.code == 1
    assert f"git-strata: {EXPERIMENT} is not merged: both sides changed 'seed'." in done.err
    text = repo.read(EXPERIMENT).decode()
    assert "<<<<<<< ours\nseed: 8\n=======\nseed: 9\n>>>>>>> theirs\n" in text
    assert repo.git("ls-files", "--unmerged", "--", EXPERIMENT)


def test_what_cannot_be_read_is_merged_by_line(repo: RepositoryBuilder) -> None:
    branches(repo, {EXPERIMENT: BASE + "a: [\n"}, {EXPERIMENT: BASE + "b: 1\n"})
    done = repo.try_git("merge", "--no-edit", "other").clean()
    assert done.code == 1
    assert "cannot be read" in done.err
    assert b"<<<<<<< ours\na: [\n" in repo.read(EXPERIMENT)


def test_a_released_version_is_never_mixed(repo: RepositoryBuilder) -> None:
    """The two descriptions stand far enough apart for git to merge them line by line."""
    repo.commit("Release", artifacts.dataset("iris"))
    path = "datasets/iris/v1/metadata.yaml"
    text = repo.read(path).decode()
    ours, theirs = text.replace("licence: CC-BY-4.0", "licence: MIT"), text.replace("rows: 3", "rows: 4")
    if theirs == text:
        theirs = text + "schema: []\n"
    branches(repo, {path: ours}, {path: theirs})
    done = repo.try_git("merge", "--no-edit", "other").clean()
    assert done.code == 1
    assert "iris@v1 is released" in done.err
    assert repo.read(path).decode() == ours or b"<<<<<<<" in repo.read(path)
    assert repo.git("ls-files", "--unmerged", "--", path)


def test_two_clones_that_made_one_version(repo: RepositoryBuilder) -> None:
    one, two = artifacts.run(metrics={"accuracy": 0.9}), artifacts.run(metrics={"f1": 0.8})
    branches(repo, dict(one), dict(two))
    done = repo.try_git("merge", "--no-edit", "other").clean()
    assert done.code == 1
    path = f"runs/{artifacts.RUN}/metrics.json"
    assert f"{path} is not merged: {artifacts.RUN} is released" in done.err
    with pytest.raises(Exception, match="not JSON"):
        load_json(repo.read(path))


def test_without_the_driver_git_merges_by_line(repo: RepositoryBuilder) -> None:
    """A clone in which nobody called `git strata install`."""
    repo.git("config", "--local", "--remove-section", "merge.strata")
    branches(repo, {EXPERIMENT: BASE.replace("seed: 7", "seed: 8")}, {EXPERIMENT: BASE + "tags: {}\n"})
    repo.git("merge", "--quiet", "--no-edit", "other")
    assert b"seed: 8" in repo.read(EXPERIMENT)


def test_with_the_program_gone_conflicts_still_have_markers(repo: RepositoryBuilder) -> None:
    driver = repo.git("config", "--local", "merge.strata.driver").partition(";")[2]
    repo.git(
        "config", "--local", "merge.strata.driver", f"p=/nowhere/git-strata;{driver}".replace("p=git-strata", "p=gone")
    )
    branches(repo, {EXPERIMENT: BASE.replace("seed: 7", "seed: 8")}, {EXPERIMENT: BASE.replace("seed: 7", "seed: 9")})
    assert repo.try_git("merge", "--no-edit", "other").code == 1
    assert b"<<<<<<< ours\nseed: 8\n" in repo.read(EXPERIMENT)


def test_a_rebase_and_a_cherry_pick_use_it_too(repo: RepositoryBuilder) -> None:
    ours, theirs = BASE.replace("depth: 8", "depth: 9"), BASE.replace("trees: 100", "trees: 300")
    branches(repo, {EXPERIMENT: ours}, {EXPERIMENT: theirs})
    repo.git("cherry-pick", "other")
    assert repo.read(EXPERIMENT).decode() == ours.replace("trees: 100", "trees: 300")
    repo.git("reset", "--quiet", "--hard", "HEAD~1")
    repo.git("rebase", "--quiet", "other")
    assert repo.read(EXPERIMENT).decode() == ours.replace("trees: 100", "trees: 300")
