"""The same day's work in every kind of repository that git offers: formats, indexes, working trees, object stores."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.flows.kinds import Place, work
from tests.support.builder import RepositoryBuilder

pytestmark = pytest.mark.heavy

# --- ways to lay out a repository; each gives the place in which the work is done


def plain(place: Place) -> Place:
    return place


def linked_worktree(place: Place) -> Place:
    return Place(place.repo.worktree("side"), place.server)


def detached_head(place: Place) -> Place:
    place.repo.git("checkout", "-q", "--detach")
    return place


def sparse_checkout(place: Place) -> Place:
    """Nothing but the new dataset and the top is on the disk; old@v1 is not."""
    place.repo.git("sparse-checkout", "set", "datasets/iris")
    assert not (place.repo.path / "datasets/old").exists()
    return place


def sparse_index(place: Place) -> Place:
    """Directories that are not on the disk are one entry each in the index."""
    place.repo.git("sparse-checkout", "set", "--sparse-index", "datasets/iris")
    assert "datasets/old/" in place.repo.git("ls-files", "--sparse")
    return place


def sparse_by_pattern(place: Place) -> Place:
    place.repo.git("sparse-checkout", "set", "--no-cone", "/*", "!/datasets/old/", "!/tfc/")
    assert not (place.repo.path / "datasets/old").exists()
    return place


def split_index(place: Place) -> Place:
    place.repo.git("config", "core.splitIndex", "true")
    place.repo.git("config", "splitIndex.maxPercentChange", "100")
    place.repo.git("update-index", "--split-index")
    assert list((place.repo.path / ".git").glob("sharedindex.*"))
    return place


def index_version_4(place: Place) -> Place:
    place.repo.git("config", "index.version", "4")
    place.repo.git("update-index", "--index-version", "4")
    return place


def index_without_a_hash(place: Place) -> Place:
    place.repo.git("config", "index.skipHash", "true")
    return place


def untracked_cache(place: Place) -> Place:
    place.repo.git("update-index", "--force-untracked-cache")
    return place


def monitored(place: Place) -> Place:
    """A program tells git which files changed (all of them may have, says this one)."""
    program = place.repo.path / ".git/monitor"
    program.write_text("#!/bin/sh\nprintf 'token\\0/\\0'\n")
    program.chmod(0o755)
    place.repo.git("config", "core.fsmonitor", str(program))
    place.repo.git("update-index", "--fsmonitor")
    return place


def monitored_by_git(place: Place) -> Place:
    """Git's own monitor; a git without it for this system goes on without."""
    place.repo.git("config", "core.fsmonitor", "true")
    return place


def many_files(place: Place) -> Place:
    place.repo.git("config", "feature.manyFiles", "true")
    return place


def packed(place: Place) -> Place:
    repo = place.repo
    repo.git("pack-refs", "--all")
    repo.git("repack", "-adq", "--write-midx")
    repo.git("commit-graph", "write", "--reachable", "--changed-paths")
    assert not list((repo.path / ".git/refs/heads").iterdir())
    return place


def shared_objects(place: Place) -> Place:
    """`clone --shared`: the objects are another repository's."""
    return borrowed(place, "--shared")


def referenced_objects(place: Place) -> Place:
    return borrowed(place, "--reference", str(place.server.path))


def borrowed(place: Place, *options: str) -> Place:
    path = place.repo.path.with_name("borrowed")
    place.server.git("clone", "-q", *options, str(place.server.path), str(path))
    clone = RepositoryBuilder(path, place.repo.environ, place.repo.clock).install_hooks()
    assert (path / ".git/objects/info/alternates").exists()
    return Place(clone, place.server)


def separate_git_dir(place: Place) -> Place:
    """`.git` is a file that says where the repository is."""
    return place.cloned("apart", "--separate-git-dir", str(place.repo.path.with_name("apart.git")))


def settings_of_one_worktree(place: Place) -> Place:
    place.repo.git("config", "extensions.worktreeConfig", "true")
    side = place.repo.worktree("side")
    side.git("config", "--worktree", "index.version", "4")
    return Place(side, place.server)


def as_a_submodule(place: Place) -> Place:
    """The workspace is a submodule of some other repository."""
    return Place(submodule(place, "outer", place.server).install_hooks(), place.server)


def submodule(place: Place, name: str, source: RepositoryBuilder) -> RepositoryBuilder:
    outer = RepositoryBuilder(place.repo.path.with_name(name), place.repo.environ)
    outer.path.mkdir()
    outer.git("init", "-q")
    outer.git("submodule", "--quiet", "add", source.path.as_uri(), "inner")
    outer.git("commit", "-qm", "With a submodule")
    inner = RepositoryBuilder(outer.path / "inner", outer.environ, place.repo.clock)
    inner.git("config", "user.name", "Ada")
    return inner


def with_a_submodule(place: Place) -> Place:
    """Some other repository is a submodule of the workspace, beside the artifacts."""
    place.repo.git("submodule", "--quiet", "add", place.server.path.as_uri(), "vendor/other")
    place.repo.git("commit", "-qm", "With a submodule")
    return place


def line_ends_of_windows(place: Place) -> Place:
    """Files outside artifacts are checked out with CRLF; artifacts keep their bytes."""
    place.repo.git("config", "core.autocrlf", "true")
    place.repo.git("rm", "-rq", "--cached", ".")
    place.repo.git("reset", "-q", "--hard")
    assert b"\r\n" in place.repo.read("strata.yaml")
    assert b"\r\n" not in place.repo.read("datasets/old/v1/metadata.yaml")
    return place


def names_quoted(place: Place) -> Place:
    place.repo.git("config", "core.quotePath", "true")
    place.repo.commit("Names", {"Übersicht.md": "x\n", "tab\there.md": "x\n"})
    return place


def names_composed(place: Place) -> Place:
    place.repo.git("config", "core.precomposeUnicode", "true")
    return place


def cases_ignored(place: Place) -> Place:
    place.repo.git("config", "core.ignoreCase", "true")
    return place


def modes_and_links_ignored(place: Place) -> Place:
    """As on a file system that knows neither."""
    place.repo.git("config", "core.fileMode", "false")
    place.repo.git("config", "core.symlinks", "false")
    return place


def replaced_history(place: Place) -> Place:
    """A replacement object hides the tree of HEAD from git's own commands; we read what is really there."""
    empty = place.repo.git("hash-object", "-t", "tree", "-w", "/dev/null")
    other = place.repo.git("commit-tree", "-m", "Not so", empty)
    place.repo.git("replace", "HEAD~1", other)
    return place


def grafted_history(place: Place) -> Place:
    """A graft hides the history before HEAD from git's own commands."""
    (place.repo.path / ".git/info/grafts").write_text(f"{place.repo.head}\n")
    place.repo.git("config", "advice.graftFileDeprecated", "false")
    return place


LAYOUTS: tuple[Callable[[Place], Place], ...] = (
    plain, linked_worktree, sparse_index, split_index, packed, as_a_submodule, line_ends_of_windows, replaced_history,
)  # fmt: skip
RARE = (
    sparse_checkout, index_version_4, monitored, shared_objects, with_a_submodule, grafted_history,
    detached_head, sparse_by_pattern, index_without_a_hash, untracked_cache, monitored_by_git, many_files,
    referenced_objects, separate_git_dir, settings_of_one_worktree, names_quoted, names_composed, cases_ignored,
    modes_and_links_ignored,
)  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_a_days_work(place: Place, layout: Callable[[Place], Place]) -> None:
    work(layout(place))


@pytest.mark.parametrize("layout", RARE, ids=lambda layout: layout.__name__)
def test_a_days_work_in_a_rarer_place(place: Place, layout: Callable[[Place], Place]) -> None:
    work(layout(place))
