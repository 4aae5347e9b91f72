"""Whatever happens to a history, the index that grew with it says the same, byte for byte, as one made from nothing.

Commits may have any parents and hold anything: every merge that a person could make is among them, evil ones too.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from strata_git.index.build import build
from strata_git.index.lazy import LazyIndex
from strata_git.repo.command import Repository
from tests.properties.bench import Bench, hold
from tests.support import artifacts
from tests.support.builder import FIRST

SHORT = settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
LONG = settings(SHORT, max_examples=30)
VERSIONS = {
    f"{name}-{text}": artifacts.dataset(name, version, metadata={"description": text})
    for name, version, text in [("iris", "v1", "one"), ("iris", "v1", "two"), ("iris", "v2", "one"),
                                ("wine", "v1", "one")]
} | {
    "forest": artifacts.model("forest"), "scoring": artifacts.service("scoring"),
    "served": artifacts.service("scoring", model="models/forest@v2"),
    "signed": {"datasets/wine/v1/SIGNATURE.asc": b"-----BEGIN PGP SIGNATURE-----\n"},
    "stray": {"datasets/wine": b"a file where a name would be"}, "blocking": {"datasets/iris/v1": b"a file"},
}  # fmt: skip
PLACES = ("datasets/iris/v1", "datasets/iris/v2", "datasets/wine", "models/forest/v1", "services/scoring")
TAGS = ("forest@v1.0.0", "forest@v2.0.0", "forest#staging#1", "forest#production#2", "forest#staging!#3", "v1.0")
BRANCHES = ("main", "side", "far")


@dataclass(slots=True)
class Story:
    """A history as it goes on: what each commit holds, and where branches stand."""

    bench: Bench
    commits: list[tuple[str, dict[str, bytes]]] = field(default_factory=list)
    branches: dict[str, int] = field(default_factory=dict)

    def commit(self, branch: str, onto: int, beside: int | None, changes: list[tuple[str, str]]) -> None:
        """A commit on `branch` that descends from commit `onto` (and `beside`), with something added or removed."""
        parents = list(dict.fromkeys(self.commits[at % len(self.commits)] [0] for at in (onto, beside)
                                     if at is not None and self.commits))  # fmt: skip
        files: dict[str, bytes] = {}
        held = dict(self.commits)
        for parent in reversed(parents):
            files |= held[parent]
        for verb, what in changes:
            if verb == "add":
                files = {path: data for path, data in files.items() if not _collides(path, VERSIONS[what])}
                files |= VERSIONS[what]
            else:
                files = {path: data for path, data in files.items() if not path.startswith(f"{what}/")}
        files = files or {"README.md": b"nothing\n"}
        tree = self.bench.plumbing.tree({path: ("100644", data) for path, data in files.items()})
        self.bench.number += 1
        made = self.bench.plumbing.commit(tree, parents, self.bench.number)
        self.commits.append((made, files))
        self.point(branch, len(self.commits) - 1)

    def point(self, branch: str, at: int) -> None:
        """Let a branch stand at some commit."""
        if self.commits:
            self.branches[branch] = at % len(self.commits)
            self._ref(f"refs/heads/{branch}", self.commits[self.branches[branch]][0])

    def delete(self, branch: str) -> None:
        """Take a branch away; main stays."""
        if branch != "main":
            self._ref(f"refs/heads/{branch}", None)
            self.branches.pop(branch, None)

    def tag(self, name: str, at: int) -> None:
        """A tag that looks like an event, with no signature."""
        if self.commits:
            target = self.commits[at % len(self.commits)][0]
            who = f"Ada Tester <ada@example.org> {FIRST + 60 * self.bench.number} +0000"
            text = f"object {target}\ntype commit\ntag {name}\ntagger {who}\n\nSomething\n"
            self._ref(f"refs/tags/{name}", self.bench.plumbing.write("tag", text.encode()))

    def untag(self, name: str) -> None:
        """Take a tag away."""
        self._ref(f"refs/tags/{name}", None)

    def collect(self) -> None:
        """Everything that no reference reaches is gone from the repository."""
        self.bench.plumbing.builder.git("prune", "--expire=now")
        self.bench.plumbing.written.clear()
        here = set(self.branches.values())
        reached = set(self.bench.plumbing.builder.git("rev-list", "--all").split()) if here else set()
        kept = [pair for pair in self.commits if pair[0] in reached]
        self.branches = {name: kept.index(self.commits[at]) for name, at in self.branches.items()}
        self.commits = kept

    def _ref(self, name: str, value: str | None) -> None:
        self.bench.plumbing._put(name, value)


Step = Callable[[Story], None]
_at = st.integers(0, 30)
_changes = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from(sorted(VERSIONS))),
        st.tuples(st.just("remove"), st.sampled_from(PLACES)),
    ),
    max_size=3,
)
_commits = st.builds(
    lambda branch, onto, beside, changes: lambda story: story.commit(branch, onto, beside, changes),
    st.sampled_from(BRANCHES), _at, st.one_of(st.none(), _at), _changes,
)  # fmt: skip
_others = st.one_of(
    st.builds(lambda branch, at: lambda story: story.point(branch, at), st.sampled_from(BRANCHES), _at),
    st.builds(lambda branch: lambda story: story.delete(branch), st.sampled_from(BRANCHES)),
    st.builds(lambda name, at: lambda story: story.tag(name, at), st.sampled_from(TAGS), _at),
    st.builds(lambda name: lambda story: story.untag(name), st.sampled_from(TAGS)),
    st.just(lambda story: story.collect()),
)
stories = st.lists(st.one_of(_commits, _commits, _others), min_size=2, max_size=9)


@pytest.fixture(params=[pytest.param(SHORT, id="short"), pytest.param(LONG, id="long", marks=pytest.mark.heavy)])
def patience(request: pytest.FixtureRequest) -> settings:
    chosen = request.param
    assert isinstance(chosen, settings)
    return chosen


def test_it_grows_into_what_a_rebuild_makes(bench: Bench, patience: settings, tmp_path: Path) -> None:
    """After every step of every story; and asked of an older commit in between."""

    def check(steps: list[Step], asked: int) -> None:
        _empty(bench)
        story = Story(bench)
        for at, step in enumerate(steps):
            step(story)
            if "main" not in story.branches:
                story.commit("main", 0, None, [("add", "wine-one")])
            grown = document(bench, "HEAD")
            assert grown == document(bench, "HEAD", anew=tmp_path / "anew"), f"after step {at}"
            older = story.commits[asked % len(story.commits)][0]
            assert document(bench, older) == document(bench, older, anew=tmp_path / "anew"), f"{older} after step {at}"

    hold(patience, check, steps=stories, asked=_at)


def document(bench: Bench, revision: str, *, anew: Path | None = None) -> bytes:
    """The index's JSON, with what is remembered or (`anew`) with nothing."""
    repo = Repository.discover(bench.plumbing.builder.path, bench.plumbing.builder.environ)
    try:
        if anew is not None:
            shutil.rmtree(anew, ignore_errors=True)
            repo.__dict__["cache_dir"] = anew
        index = build(repo, revision)
        assert isinstance(index, LazyIndex)
        return index.document()
    finally:
        repo.close()


def _collides(path: str, files: artifacts.Files) -> bool:
    """Whether a path cannot be beside these files: a directory here is a file there."""
    return any(path.startswith(f"{other}/") or other.startswith(f"{path}/") for other in files) or path in files


def _empty(bench: Bench) -> None:
    """No reference, no object, nothing remembered."""
    for folder in ("refs/heads", "refs/tags", "refs/remotes", "strata"):
        shutil.rmtree(bench.plumbing.git_dir / folder, ignore_errors=True)
    (bench.plumbing.git_dir / "refs/heads").mkdir(parents=True)
