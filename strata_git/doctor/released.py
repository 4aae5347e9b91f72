"""Facts about released versions: what commits, or what is staged, do to them.

A version directory is known by its tree id; files are listed only where two of those differ.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from strata_git.checks.finding import Finding
from strata_git.checks.immutability import Files, VersionChange, judge_changes, judge_introductions
from strata_git.contracts.layout import ROOTS, SIGNATURE, Artifact, artifact_of
from strata_git.repo.command import Repository
from strata_git.repo.history import Commit, first_appearances, steps
from strata_git.repo.scan import Row, entries_below
from strata_git.repo.staged import Change
from strata_git.repo.tree import Entry, ListedTree


@dataclass(frozen=True, slots=True)
class _Touch:
    """One commit's doing to one version against one parent, by tree ids."""

    commit: str
    artifact: Artifact
    before: str | None
    after: str | None


def judge_history(repo: Repository, commits: Sequence[Commit], base: Collection[str]) -> list[Finding]:
    """Judge what `commits` (parents first) do to versions released by them or by the history of `base`.

    Every commit is judged against each of its parents, so a change that a later commit takes back, or that hides in a
    merge, is told with the commit that made it.
    """
    touches = _touches(repo, commits)
    if not touches:
        return []
    first = {commit.oid: commit for commit in commits}
    earlier = _released_before(repo, touches, base)
    files = _FileLists(repo)
    changes, released = _as_changes(touches, earlier, files)
    findings = list(judge_changes(changes, released))
    suspects = {artifact_of(finding.path) for finding in findings}
    origin = _origins(repo, [a for a in suspects if a is not None and a.path in released], base, first)
    if origin:  # judged again by what was released, not by what an earlier violation left
        truth = {path: files.of(oid, path) for path, oid in origin.items()}
        findings = list(judge_changes(changes, {**released, **truth}))
    return [*findings, *judge_introductions(changes)]


def judge_staged_versions(
    repo: Repository, tree: ListedTree, changes: Sequence[Change], parents: Sequence[str]
) -> list[Finding]:
    """Judge what the staged `changes` do to versions that `parents` (HEAD and any MERGE_HEAD) hold.

    `tree` is the staged tree below the artifacts touched.
    """
    touched = sorted({a for change in changes if (a := artifact_of(change.path)) and a.frozen})
    found_at = tree_ids(repo, [f"{parent}:{artifact.path}" for artifact in touched for parent in parents])
    files = _FileLists(repo)
    judged = []
    for artifact in touched:
        after = _files(tree.under(artifact.path)) or None
        present = [(parent, oid) for parent in parents if (oid := found_at[f"{parent}:{artifact.path}"]) is not None]
        if not present:
            judged.append(VersionChange("", artifact, None, after, introduced=True))
            continue
        for parent, oid in present:
            before = files.of(oid, artifact.path)
            if before == after:
                continue
            one = VersionChange("", artifact, before, after, introduced=False, base=parent[:12])
            judged.append(_with_signatures(repo, one))
    findings = list(judge_changes(judged))
    suspects = {told for finding in findings if (told := artifact_of(finding.path)) is not None}
    if suspects:  # judged again by what was released: undoing what an earlier commit broke is legal
        origins = _origins(repo, sorted(suspects), parents, {})
        excused = {artifact for artifact in suspects if amendable(repo, artifact, parents)}
        judged = [replace(one, unpublished=True) if one.artifact in excused else one for one in judged]
        findings = list(judge_changes(judged, {path: files.of(oid, path) for path, oid in origins.items()}))
    return [*findings, *judge_introductions(judged)]


def amendable(repo: Repository, artifact: Artifact, parents: Sequence[str]) -> bool:
    """Whether a version may still change: HEAD introduced it, and no remote, event, run or model knows it.

    DESIGN §10 *Released and immutable*: amending the introducing commit is the only exception.
    """
    if len(parents) != 1:
        return False
    head = parents[0]
    kind, data = repo.objects.read(head)
    if kind != "commit":
        return False
    header = data.partition(b"\n\n")[0].split(b"\n")
    grandparents = [line[7:].decode() for line in header if line.startswith(b"parent ")]
    existed = tree_ids(repo, [f"{parent}:{artifact.path}" for parent in grandparents])
    if any(existed.values()):
        return False
    known = repo.git("for-each-ref", "--count=1", f"--contains={head}", "--format=%(refname)", "refs/remotes")
    events = repo.git("for-each-ref", "--contains", head, "--format=%(refname:strip=2)", "refs/tags").decode(
        errors="replace"
    )
    if known or any(("#" in name or "@" in name) for name in events.splitlines()):
        return False
    return not _cited(repo, artifact, head)


def _cited(repo: Repository, artifact: Artifact, head: str) -> bool:
    """Whether a committed run or model names the version: seen in their records' text, cheaply and never too little."""
    names = [artifact.reference.encode(), artifact.short.encode()]
    out = repo.try_git(
        "grep", "-l", "-z", "-F", *[part for name in names for part in ("-e", name.decode())], head, "--", "runs",
        "models",
    )  # fmt: skip
    if out.code not in (0, 1):  # absent objects: what cannot be read may cite it
        return True
    own = f"{head}:{artifact.path}/".encode()
    return any(not path.startswith(own) for path in out.out.split(b"\0") if path)


def tree_ids(repo: Repository, names: Iterable[str]) -> dict[str, str | None]:
    """`revision:path` → the id of the directory there, or None where there is none."""
    return {name: found[0] if found and found[1] == "tree" else None for name, found in repo.objects.lookup(names)}


class _FileLists:
    """Files of a version by tree id, each listed once."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._known: dict[tuple[str, str], Files] = {}

    def of(self, oid: str, path: str) -> Files:
        """The files below `path` in the tree `oid`."""
        known = self._known.get((oid, path))
        if known is None:
            known = _files(entries_below(self._repo, [(path, Row("40000", path, oid))]))
            self._known[oid, path] = known
        return known


def _files(entries: Iterable[Entry]) -> dict[str, tuple[str, str]]:
    return {entry.path: (entry.mode, entry.oid) for entry in entries}


def _touches(repo: Repository, commits: Sequence[Commit]) -> list[_Touch]:
    rough = []
    for step in steps(repo, commits, ROOTS):
        artifacts = {a for change in step.changes if (a := artifact_of(change.path)) and a.frozen}
        rough += [(step.commit, step.parent, artifact) for artifact in sorted(artifacts)]
    names = [f"{commit}:{a.path}" for commit, _, a in rough] + [f"{p}:{a.path}" for _, p, a in rough if p]
    ids = tree_ids(repo, names)
    return [
        _Touch(commit, artifact, ids[f"{parent}:{artifact.path}"] if parent else None, ids[f"{commit}:{artifact.path}"])
        for commit, parent, artifact in rough
    ]


def _released_before(repo: Repository, touches: Sequence[_Touch], base: Collection[str]) -> dict[str, str]:
    """Artifact path → tree id of its release, for versions that seem new but that the history of `base` once held."""
    return _origins(repo, [touch.artifact for touch in touches if touch.before is None], base, {})


def _origins(
    repo: Repository, artifacts: Sequence[Artifact], base: Collection[str], ahead: Mapping[str, Commit]
) -> dict[str, str]:
    """Artifact path → tree id of its content when it first appeared in the history of `base`."""
    if not artifacts or not base:
        return {}
    paths = sorted({artifact.path for artifact in artifacts})
    commits: dict[str, str] = {}
    for path, commit in first_appearances(repo, list(base), paths).items():
        artifact = artifact_of(path)
        if artifact is not None and commit not in ahead:
            commits.setdefault(artifact.path, commit)
    ids = tree_ids(repo, [f"{commit}:{path}" for path, commit in commits.items()])
    return {path: oid for path, commit in commits.items() if (oid := ids[f"{commit}:{path}"])}


def _as_changes(
    touches: Sequence[_Touch], earlier: Mapping[str, str], files: _FileLists
) -> tuple[list[VersionChange], dict[str, Files]]:
    known = dict(earlier)
    changes = []
    for touch in touches:
        path = touch.artifact.path
        if touch.before is None and touch.after is None:
            continue
        if path not in known and touch.before is not None:
            known[path] = touch.before
        introduced = path not in known
        if introduced and touch.after is not None:
            known[path] = touch.after
            changes.append(VersionChange(touch.commit, touch.artifact, None, {}, introduced=True))
            continue
        one = VersionChange(
            touch.commit,
            touch.artifact,
            files.of(touch.before, path) if touch.before else None,
            files.of(touch.after, path) if touch.after else None,
            introduced=False,
            base=f"{touch.commit[:12]}^",
        )
        changes.append(_with_signatures(files._repo, one))  # noqa: SLF001 - same room
    needed = {change.artifact.path for change in changes if not change.introduced}
    return changes, {path: files.of(oid, path) for path, oid in known.items() if path in needed}


def _with_signatures(repo: Repository, change: VersionChange) -> VersionChange:
    path = f"{change.artifact.path}/{SIGNATURE}"
    sides = []
    for side in (change.before, change.after):
        row = side.get(path) if side else None
        try:
            sides.append(repo.objects.read(row[1], 1 << 20)[1] if row else None)
        except (KeyError, ValueError):
            sides.append(b"")
    return replace(change, signature_before=sides[0], signature_after=sides[1])
