"""What is judged: a commit, what is staged, or the working tree, as artifact directories with their tree ids.

Only directories in which something differs from the commit underneath are listed file by file; all others are known by
the id git already gave them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from strata_git.contracts.layout import BASELINE, KINDS, ROOTS, SETTINGS, Artifact, artifact_of
from strata_git.errors import StrataError
from strata_git.repo.command import Repository
from strata_git.repo.scan import TREE, Row, entries_below, listed_at, read_trees, staged_at
from strata_git.repo.staged import Change, staged_changes
from strata_git.repo.tree import Content, Entry, ListedTree, Place, commit_tree, index_tree, tree_oid
from strata_git.repo.worktree import WorkTree, start_unsettled

AROUND = (".strata", "experiments", "chains", "plugins")
"""Directories that hold no artifacts and are looked at all the same: settings, and what people write runs in."""
WATCHED = (*ROOTS, SETTINGS, *AROUND, ".gitattributes", ".env")
"""Everything the rules look at; the hooks' gates use the same list."""


@dataclass(slots=True)
class Subject:
    """`artifacts` maps each artifact directory to its tree id; `loose` holds the watched files that lie in none.

    `files` lists the directories asked for. `commit` is the commit that is judged, or that lies underneath;
    `gone` are the artifacts that only the latter has, `touched` those in which something may differ from it. `roots`
    are the roots that are there where a narrow view does not show what lies in them.
    """

    name: str
    artifacts: dict[Artifact, str]
    loose: ListedTree
    files: Callable[[Collection[str]], ListedTree]
    narrow: bool = False
    commit: str | None = None
    elsewhere: Callable[[Collection[Artifact]], dict[Artifact, str]] | None = None
    gone: frozenset[Artifact] = frozenset()
    touched: frozenset[Artifact] = frozenset()
    roots: frozenset[str] = frozenset()

    def learn(self, artifacts: Collection[Artifact]) -> list[Artifact]:
        """Those of `artifacts` that are there, with their tree ids known from now on."""
        unknown = [artifact for artifact in artifacts if artifact not in self.artifacts]
        if unknown and self.elsewhere is not None:
            self.artifacts |= self.elsewhere(unknown)
        return [artifact for artifact in artifacts if artifact in self.artifacts]


def commit_subject(repo: Repository, commit: str) -> Subject:
    """The tree of a commit."""
    artifacts, loose = _scan(repo, commit)
    return Subject(
        f"commit {commit}",
        artifacts,
        ListedTree(repo, loose),
        lambda paths: commit_tree(repo, commit, paths),
        commit=commit,
    )


def staged_subject(repo: Repository, changes: list[Change] | None = None) -> Subject:
    """What the next commit would hold."""
    if changes is None:
        changes = staged_changes(repo, WATCHED, folded=True)
    by_path = {change.path for change in changes}

    def files(paths: Collection[str]) -> ListedTree:
        return index_tree(repo, paths, _below(changes, paths))

    changed = [Entry(c.path, c.new_mode, c.new_oid) for c in changes if c.status != "D"]
    return _overlaid(repo, _Head.of(repo), "the staged tree", by_path, changed, files)


def narrow_subject(repo: Repository, changes: list[Change]) -> Subject:
    """Only what the next commit changes, and whatever else is asked for by name: the hook's view.

    Other artifacts of HEAD are learnt when they are asked for, so the work is in proportion to the change.
    """
    head = repo.head()
    settled = {c.path for c in changes if artifact_of(c.path) is None}
    around = [path for path in (SETTINGS, ".gitattributes", BASELINE) if path not in settled]
    loose = [*listed_at(repo, head, around).under("")] if head else []
    loose += [Entry(c.path, c.new_mode, c.new_oid) for c in changes if c.path in settled and c.status != "D"]
    listings: dict[frozenset[str], ListedTree] = {}

    def files(paths: Collection[str]) -> ListedTree:
        asked = frozenset(paths)
        if asked not in listings:
            listings[asked] = staged_at(repo, paths, _below(changes, paths))
        return listings[asked]

    touched = sorted({a for c in changes if (a := artifact_of(c.path))})
    listed = files([artifact.path for artifact in touched])
    known = {a: tree_oid(below, a.path, repo.object_format) for a in touched if (below := listed.under(a.path))}
    loose += [blocking for a in touched if (blocking := listed.get(a.path)) is not None]

    def elsewhere(artifacts: Collection[Artifact]) -> dict[Artifact, str]:
        names = {f"{head}:{a.path}": a for a in artifacts if a not in touched} if head else {}
        found = repo.objects.lookup(names)
        return {names[name]: row[0] for name, row in found if row is not None and row[1] == "tree"}

    roots = _staged_roots(repo, head, changes)
    return Subject("the staged tree", known, ListedTree(repo, loose), files, True, head, elsewhere, roots=roots)


def received_subject(repo: Repository, commit: str, changes: Iterable[Change]) -> Subject:
    """Only what `commit` changes (against a parent), and whatever else of it is asked for by name.

    A push of many commits costs what they change, not what the repository holds beside that; no process is started.
    """
    around = (SETTINGS, ".gitattributes")
    aside = [c for c in changes if c.status != "D" and c.path not in around and _place(c.path) in ("", c.path)]
    loose = [Entry(c.path, c.new_mode, c.new_oid) for c in aside]
    top = _top(repo, commit)
    loose += [Entry(row.name, row.mode, row.oid) for row in top if row.name in around and not row.is_tree]
    roots = frozenset(row.name for row in top if row.is_tree and row.name in ROOTS)

    def elsewhere(artifacts: Collection[Artifact]) -> dict[Artifact, str]:
        names = {f"{commit}:{artifact.path}": artifact for artifact in artifacts}
        found = repo.objects.lookup(names)
        return {names[name]: row[0] for name, row in found if row is not None and row[1] == "tree"}

    known = elsewhere(sorted({a for c in changes if (a := artifact_of(c.path))}))

    def files(paths: Collection[str]) -> ListedTree:
        ids = {artifact.path: oid for artifact, oid in known.items()}
        if any(path not in ids for path in paths):
            return commit_tree(repo, commit, paths)
        return ListedTree(repo, entries_below(repo, [(path, Row(TREE, path, ids[path])) for path in paths]))

    return Subject(f"commit {commit}", known, ListedTree(repo, loose), files, True, commit, elsewhere, roots=roots)


def work_subject(repo: Repository) -> Subject:
    """The working tree: tracked and untracked, unignored files as they lie on the disk."""
    unsettled = start_unsettled(repo, WATCHED, folded=True)
    try:
        changes = staged_changes(repo, WATCHED, folded=True)
        head = _Head.of(repo)
    finally:
        differing = unsettled()
    paths = {change.path for change in changes} | differing
    loose_paths = [path for path in paths if artifact_of(path) is None]
    loose_tree = WorkTree(repo, loose_paths) if loose_paths else ListedTree(repo, [])
    subject = _overlaid(
        repo, head, "the working tree", paths, list(loose_tree.under("")), lambda wanted: WorkTree(repo, wanted)
    )
    subject.loose = _Joined(repo, subject.loose.under(""), loose_tree)
    return subject


class _Joined(ListedTree):
    """Entries of which some are read through another tree (files that are only on the disk)."""

    def __init__(self, repo: Repository, entries: Iterable[Entry], other: ListedTree) -> None:
        super().__init__(repo, entries)
        self._other = other

    def read(self, entry: Place, limit: int = 64 << 20) -> bytes:
        """The blob's bytes, from whichever tree has the file."""
        if self._other.get(entry.path) == entry:
            return self._other.read(entry, limit)
        return super().read(entry, limit)

    def content(self, entry: Place) -> Content:
        """Digest and size, likewise."""
        if self._other.get(entry.path) == entry:
            return self._other.content(entry)
        return super().content(entry)


@dataclass(frozen=True, slots=True)
class _Head:
    """What lies underneath: HEAD's commit, if there is one, and what it holds."""

    commit: str | None
    artifacts: dict[Artifact, str]
    loose: list[Entry]

    @classmethod
    def of(cls, repo: Repository) -> _Head:
        commit = repo.head()
        return cls(commit, *(_scan(repo, commit) if commit else ({}, [])))


def _overlaid(
    repo: Repository,
    head: _Head,
    name: str,
    changed_paths: Collection[str],
    changed: list[Entry],
    files: Callable[[Collection[str]], ListedTree],
) -> Subject:
    artifacts = head.artifacts
    touched = {artifact for path in changed_paths if (artifact := artifact_of(path))}
    gone: set[Artifact] = set()
    # a file that lies where an artifact directory would be (datasets/x/v1) is loose, not an artifact
    if touched:
        listed = files(sorted(artifact.path for artifact in touched))
        for artifact in touched:
            below = listed.under(artifact.path)
            if artifacts.pop(artifact, None) is not None and not below:
                gone.add(artifact)
            if below:
                artifacts[artifact] = tree_oid(below, artifact.path, repo.object_format)
            elif (blocking := listed.get(artifact.path)) is not None:
                changed.append(blocking)
    kept = [entry for entry in head.loose if entry.path not in changed_paths]
    added = [entry for entry in changed if artifact_of(entry.path) is None or entry.path == _place(entry.path)]
    loose_tree = ListedTree(repo, [*kept, *added])
    here = frozenset(touched & artifacts.keys())
    return Subject(name, artifacts, loose_tree, files, commit=head.commit, gone=frozenset(gone), touched=here)


def _staged_roots(repo: Repository, head: str | None, changes: Iterable[Change]) -> frozenset[str]:
    """The roots that the next commit will have; one is looked through only where everything in it may be gone."""
    removed: dict[str, set[str]] = {root: set() for root in ROOTS}
    there = set()
    for change in changes:
        root = change.path.partition("/")[0]
        if root not in removed or root == change.path:
            continue
        if change.status == "D":
            removed[root].add(change.path)
        else:
            there.add(root)
    for row in _top(repo, head) if head else []:
        if row.is_tree and row.name in removed and row.name not in there and _is_left(repo, row, removed[row.name]):
            there.add(row.name)
    return frozenset(there)


def _is_left(repo: Repository, root: Row, removed: Collection[str]) -> bool:
    """Whether a directory holds a file that is not among those removed; the first one answers."""
    open_ = [(root.name, root.oid)] if removed else []
    while open_:
        path, oid = open_.pop()
        try:
            rows = next(read_trees(repo, [oid]))
        except KeyError:  # a partial clone: what is not here is not what is being removed
            return True
        for row in rows:
            if row.is_tree:
                open_.append((f"{path}/{row.name}", row.oid))
            elif f"{path}/{row.name}" not in removed:
                return True
    return not removed


def _top(repo: Repository, commit: str) -> list[Row]:
    """What lies at the top of a commit. Raises StrataError where it is not here."""
    try:
        return next(read_trees(repo, [_root_tree(repo, commit)]))
    except KeyError as error:
        raise _absent(error.args[0]) from None


def _below(changes: Iterable[Change], artifacts: Collection[str]) -> list[Change]:
    """The changes in these artifact directories, or in their place."""
    wanted = frozenset(artifacts)
    return [change for change in changes if _place(change.path) in wanted]


def _place(path: str) -> str:
    artifact = artifact_of(path)
    return artifact.path if artifact else ""


def _scan(repo: Repository, commit: str) -> tuple[dict[Artifact, str], list[Entry]]:
    try:
        top = next(iter(list(read_trees(repo, [_root_tree(repo, commit)]))))
        return _sorted_out(repo, top)
    except KeyError as error:
        raise _absent(error.args[0]) from None
    except ValueError:
        raise StrataError(f"A directory of {commit} is damaged.", hint="git fsck") from None


def _absent(oid: object) -> StrataError:
    return StrataError(
        f"Tree {oid} is not in this repository (a partial clone?).", hint="git fetch --refetch --no-filter"
    )


def _sorted_out(repo: Repository, top: list[Row]) -> tuple[dict[Artifact, str], list[Entry]]:
    artifacts: dict[Artifact, str] = {}
    loose = [(row.name, row) for row in top if not row.is_tree or row.name.casefold() in AROUND]
    loose += [(row.name, row) for row in top if row.is_tree and row.name not in KINDS and row.name.casefold() in KINDS]
    level = [(row.name, row) for row in top if row.is_tree and row.name in KINDS]
    for _ in range(2):
        below = []
        for (path, _row), rows in zip(level, read_trees(repo, [row.oid for _, row in level]), strict=True):
            below += [(f"{path}/{row.name}", row) for row in rows]
        level = []
        for path, row in below:
            if not row.is_tree:
                loose.append((path, row))
                continue
            # a directory of services is an artifact by being one; artifact_of asks for a file in it
            artifact = artifact_of(f"{path}/x")
            if artifact is not None and artifact.path == path:
                artifacts[artifact] = row.oid
            elif artifact is None and path.count("/") == 1 and KINDS[path.split("/")[0]] not in ("run", "service"):
                level.append((path, row))
            else:
                loose.append((path, row))
    return artifacts, entries_below(repo, loose)


def _root_tree(repo: Repository, commit: str) -> str:
    kind, data = repo.objects.read(commit)
    return data[5 : data.index(b"\n")].decode() if kind == "commit" else commit
